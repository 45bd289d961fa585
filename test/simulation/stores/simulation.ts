/**
 * Sessions in a database under faults: two or three servers with visitors, statements that are lost or late, a database that is down
 * or stands still, servers that stand still, are cut off or start anew, notices that are late or lost. One seed, one run.
 */
import { Entry, type SessionChanges, type SessionEntries } from "../../../src/session/entry.ts";
import { SessionIds, type VerifiedId } from "../../../src/session/id.ts";
import { endless } from "../../../src/session/snapshot.ts";
import type { SessionEngine } from "../../../src/session/stores/engine.ts";
import { EngineStore } from "../../../src/session/stores/engine-store.ts";
import { decode } from "../../../src/session/value.ts";
import type { FlotillaError } from "../../../src/support/errors.ts";
import { silentLog } from "../../../src/support/log.ts";
import { MemoryEngine } from "../../harness/memory-engine.ts";
import { Process, World } from "../session/world.ts";
import { faults, type Scene, Server } from "./faults.ts";
import { type Asked, History, RecordedDatabase, type Values } from "./history.ts";
import type { Mutant } from "./mutants.ts";
import { DatabaseServer, SimulatedNetwork, type Weather } from "./network.ts";

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly operations: number;
  /** Told that they are done. */
  readonly done: number;
  /** Answered within the call. */
  readonly served: number;
  readonly events: number;
  readonly faults: readonly string[];
}

const ids = new SessionIds(Buffer.alloc(32, 7), null, "app");
const stormMs = 20_000;
/** Faults last for 6 s of it; then a trial may be under way for 2 s, and the next one 3 s away. */
const calmMs = 12_000;
const names = ["a", "b", "c"];

interface VisitedSession {
  readonly id: VerifiedId;
  isOver: boolean;
  /** Only looked at for a while, and where it is held. */
  isQuiet: boolean;
}

class Simulation {
  readonly world: World;
  readonly #databaseServer: DatabaseServer;
  readonly database: RecordedDatabase;
  readonly history: History;
  readonly #weather: Weather = { lostShare: 0, lateShare: 0 };
  readonly #servers: Server[];
  readonly #sessions: VisitedSession[] = [];
  readonly #faults = new Set<string>();
  readonly #wrap: (engine: SessionEngine) => SessionEngine;
  #isStormy = true;
  served = 0;

  constructor(seed: number, mutant: Mutant | null) {
    this.world = new World(seed, false);
    this.#databaseServer = new DatabaseServer(this.world);
    this.database = new RecordedDatabase(() => this.world.now);
    this.history = new History(this.database);
    this.#wrap = mutant?.engine ?? ((engine) => engine);
    const letters = this.world.chance(0.5) ? "ab" : "abc";
    this.#servers = [...letters].map(
      (letter) => new Server(letter, this.world.chance(0.2) ? "always" : "cached"),
    );
    for (const server of this.#servers) this.#start(server);
  }

  async run(): Promise<void> {
    const { world } = this;
    for (let n = 0; n < 4; n++) this.#begin();
    this.#visit();
    this.#harm();
    await world.runPromisesUntil(stormMs);
    this.#heal();
    await world.runPromisesUntil(stormMs + calmMs);
    this.#isStormy = false;
    const lastCalls = this.#servers.map((server) => this.#load(server, server.store.newId()));
    await world.runPromisesUntil(stormMs + calmMs + 4_000);
    this.history.check();
    for (const { told, process } of lastCalls)
      if (told !== "done")
        this.history.violations.push(`${process} does not answer when all is well: ${told}`);
  }

  get faultKinds(): string[] {
    return [...this.#faults];
  }

  #start(server: Server): void {
    const { world } = this;
    const rate = world.between(0.95, 1.05);
    server.process = new Process(world, server.letter, String(++server.starts), rate);
    server.network = new SimulatedNetwork(world, server.process, this.#databaseServer, this.#weather);
    server.store = new EngineStore({
      engine: this.#wrap(new MemoryEngine(this.database, server.network)),
      ...{
        ids,
        letter: server.letter,
        processIndex: 0,
        holder: `server-${server.letter}`,
        load: server.load,
      },
      ...{ letters: new Set("abc"), clock: server.process.clock, random: world.random, log: silentLog },
      copiesMax: world.pick([3, 1_000]),
    });
    server.store.start();
  }

  // Visitors.

  #visit(): void {
    const { world } = this;
    if (!this.#isStormy) return;
    world.after(world.between(1, 60), null, () => this.#visit());
    if (this.#sessions.length === 0 || world.chance(0.03)) return this.#begin();
    const session = world.pick(this.#sessions);
    const sticky = this.#servers.find(({ letter }) => letter === session.id.owner)!;
    if (world.chance(0.02)) this.#changeMood(session, sticky);
    const server = session.isQuiet || world.chance(0.6) ? sticky : world.pick(this.#servers);
    if (!server.process.isAlive) return;
    const { id } = session;
    server.process.happen(() => {
      if (session.isQuiet || world.chance(0.35)) this.#load(server, id);
      if (session.isQuiet) return;
      const dice = world.random();
      if (dice < 0.4) this.#update(server, id);
      else if (dice < 0.6) this.#load(server, id, (values) => this.#compareAndSet(server, id, values));
      else if (dice < 0.63) this.#destroy(server, session);
      else if (dice < 0.7) server.store.touch(id, 600_000, false);
      else this.#load(server, id);
      if (world.chance(0.3)) this.#update(server, id);
      if (world.chance(0.3)) this.#load(server, id);
    });
  }

  /** Before it is quiet, others write while it is read where it is held. */
  #changeMood(session: VisitedSession, sticky: Server): void {
    const { world } = this;
    session.isQuiet = !session.isQuiet;
    if (!session.isQuiet) return;
    for (let n = 0; n < 8; n++)
      world.after(world.between(0, 60), null, () => {
        const server = world.chance(0.5) ? sticky : world.pick(this.#servers);
        if (!server.process.isAlive || server.process.isPaused) return;
        if (server === sticky) this.#load(server, session.id);
        else this.#update(server, session.id);
      });
  }

  #begin(): void {
    const server = this.world.pick(this.#servers);
    if (!server.process.isAlive || server.process.isPaused) return;
    const id = server.store.newId();
    const changes = { of: this.history.nameOf(id.key), a: this.world.nextNumber() };
    const asked = this.#ask(server, "create", id, changes, {});
    server.store.create(id, changesOf(changes), 600_000, endless, (error) => {
      this.#told(asked, error);
      if (error === null) this.#sessions.push({ id, isOver: false, isQuiet: false });
    });
  }

  #load(server: Server, id: VerifiedId, then: (values: Values) => void = () => {}): Asked {
    const asked = this.#ask(server, "load", id, {}, {});
    let isServed = true;
    server.store.load(id, (error, entries) => {
      if (error === null && entries !== null) asked.values = valuesOf(entries);
      this.#told(asked, error);
      if (isServed && entries !== null) this.served++;
      if (asked.values !== null) then(asked.values);
    });
    isServed = false;
    return asked;
  }

  #update(server: Server, id: VerifiedId): void {
    const changes: Record<string, unknown> = {};
    for (const name of names)
      if (this.world.chance(0.4)) changes[name] = this.world.chance(0.1) ? null : this.world.nextNumber();
    const asked = this.#ask(server, "update", id, changes, {});
    server.store.update(id, changesOf(changes), 600_000, (error) => {
      this.#told(asked, error);
      // What comes of it is then seen by those who only look.
      const session = this.#sessions.find((one) => one.id === id);
      if (error?.code === "FLOTILLA_SESSION_UNKNOWN" && session !== undefined) session.isQuiet = true;
    });
  }

  #compareAndSet(server: Server, id: VerifiedId, values: Values): void {
    const name = this.world.pick(names);
    const expected = { [name]: values[name] ?? null };
    const changes = { [name]: this.world.nextNumber() };
    const asked = this.#ask(server, "compareAndSet", id, changes, expected);
    const texts = new Map([[name, name in values ? JSON.stringify(values[name]) : null]]);
    server.store.compareAndSet(id, changesOf(changes), texts, 600_000, (error) => this.#told(asked, error));
  }

  #destroy(server: Server, session: VisitedSession): void {
    if (this.#sessions.filter(({ isOver }) => !isOver).length < 3) return;
    session.isOver = true;
    session.isQuiet = this.world.chance(0.5);
    const asked = this.#ask(server, "destroy", session.id, {}, {});
    server.store.destroy(session.id, (error) => this.#told(asked, error));
    // Its visitor has other requests under way for a while.
    this.world.after(12_000, null, () => this.#sessions.splice(this.#sessions.indexOf(session), 1));
  }

  #ask(server: Server, kind: Asked["kind"], { key }: VerifiedId, changes: Values, expected: Values): Asked {
    const { world } = this;
    const asked: Asked = {
      ...{ kind, key, changes, expected, process: server.process.name, isStrict: server.load === "always" },
      ...{ number: world.nextNumber(), startedAt: world.now },
      ...{ endedAt: Number.POSITIVE_INFINITY, told: "", values: null, isExcused: false },
    };
    this.history.asked.push(asked);
    return asked;
  }

  #told(asked: Asked, error: FlotillaError | null): void {
    if (asked.told !== "") this.history.violations.push(`told twice: ${asked.kind} ${asked.number}`);
    asked.told = error?.code ?? "done";
    asked.endedAt = this.world.now;
  }

  // Faults.

  #harm(): void {
    const { world } = this;
    if (world.now > stormMs - 2_000) return;
    world.after(world.between(300, 4_000), null, () => this.#harm());
    const server = world.pick(this.#servers);
    const kind = world.pick(Object.keys(faults));
    this.#faults.add(kind);
    const forMs = world.chance(0.3) ? world.between(3_000, 8_000) : world.between(50, 3_000);
    world.after(forMs, null, faults[kind]!(this.#sceneOf(), server, forMs));
  }

  #sceneOf(): Scene {
    return {
      weather: this.#weather,
      databaseServer: this.#databaseServer,
      start: (server) => this.#start(server),
      excuse: ({ process }) => {
        for (const asked of this.history.asked)
          if (asked.process === process.name && asked.told === "") asked.isExcused = true;
      },
    };
  }

  #heal(): void {
    this.#weather.lostShare = this.#weather.lateShare = 0;
  }
}

function changesOf(values: Values): SessionChanges {
  return new Map(
    Object.entries(values).map(([name, value]) => [name, value === null ? null : Entry.of(name, value)]),
  );
}

function valuesOf(entries: SessionEntries): Values {
  return Object.fromEntries([...entries].map(([name, { text }]) => [name, decode(text)]));
}

export async function simulate(seed: number, mutant: Mutant | null = null): Promise<Outcome> {
  const undo = mutant?.meddle?.() ?? (() => {});
  try {
    const simulation = new Simulation(seed, mutant);
    await simulation.run();
    const { history, world, served, faultKinds } = simulation;
    const done = history.asked.filter(({ told }) => told === "done").length;
    const { violations, asked } = history;
    return {
      seed,
      violations,
      operations: asked.length,
      done,
      served,
      events: world.eventCount,
      faults: faultKinds,
    };
  } finally {
    undo();
  }
}
