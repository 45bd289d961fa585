/**
 * One process's way to its database, with everything that may become of a statement: it is late, lost before or after it was executed,
 * or never answered; statements overtake each other, as those of several connections do. Notices come in their order, late, until their
 * way breaks: noticed by both sides, or silent.
 */
import { SessionEngineError } from "../../../src/session/stores/engine.ts";
import type { EngineNetwork } from "../../harness/memory-engine.ts";
import type { Process, World } from "../session/world.ts";

/** What the database does. */
export class DatabaseServer {
  isDown = false;
  isStalled = false;
  #waiting: (() => void)[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Now, or in any order when it goes on. */
  execute(statement: () => void): void {
    if (this.isStalled) this.#waiting.push(statement);
    else statement();
  }

  goOn(): void {
    this.isStalled = false;
    for (const statement of this.#waiting.splice(0))
      this.#world.after(this.#world.between(0, 20), null, statement);
  }
}

/** By how much of what goes wrong. */
export interface Weather {
  /** Of statements. */
  lostShare: number;
  lateShare: number;
}

export class SimulatedNetwork implements EngineNetwork {
  readonly #world: World;
  readonly #process: Process;
  readonly #server: DatabaseServer;
  readonly #weather: Weather;
  /** The process has been replaced by another one: nothing of it is executed any more. */
  isOver = false;
  isCutOff = false;
  /** Notices take so long at least. */
  noticeLagMs = 0;
  #channel: "open" | "broken" | "silent" = "open";
  /** The last notice arrives then. */
  #noticedAt = 0;

  constructor(world: World, process: Process, server: DatabaseServer, weather: Weather) {
    this.#world = world;
    this.#process = process;
    this.#server = server;
    this.#weather = weather;
  }

  breakChannel(isSilent: boolean): void {
    this.#channel = isSilent ? "silent" : "broken";
  }

  call<Answer>(operation: string, execute: () => Answer): Promise<Answer> {
    const world = this.#world;
    return new Promise((resolve, reject) => {
      const isLate = world.chance(this.#weather.lateShare);
      const answerMs = isLate && world.chance(0.3) ? world.between(0, 2_500) : this.#delayMs();
      const tell = (act: () => void): void => void world.after(answerMs, this.#process, act);
      const fail = (outcome: "nothing" | "unknown", what: string): void =>
        tell(() => reject(new SessionEngineError(`${operation}: ${what}`, outcome)));
      if (this.#server.isDown) return fail("nothing", "refused");
      const isLost = world.chance(this.#weather.lostShare);
      const becomes = world.pick(["not sent", "executed, reset", "executed, silent", "silent"]);
      if (isLost && becomes === "not sent") return fail("unknown", "reset");
      if (isLost && becomes === "silent") return;
      if (isLate && world.chance(0.3)) fail("unknown", "reset, and executed later");
      const arrive = (): void => {
        // What a cut cable has in it is sent again when it is mended.
        if (this.isCutOff) return void world.after(world.between(100, 1_000), null, arrive);
        if (this.#server.isDown) return fail("unknown", "reset");
        this.#server.execute(() => {
          if (this.isOver) return;
          const answer = execute();
          if (isLost && becomes === "executed, silent") return;
          if (isLost) return fail("unknown", "reset after it was executed");
          tell(() => resolve(answer));
        });
      };
      world.after(isLate ? world.between(300, 6_000) : this.#delayMs(), null, arrive);
    });
  }

  notify(deliver: () => void): void {
    if (this.#channel === "open" && !this.isOver) this.#inOrder(deliver);
  }

  prove(): Promise<void> {
    const world = this.#world;
    return new Promise((resolve, reject) => {
      const broken = (): void => reject(new Error("the way of notices is broken"));
      world.after(this.#delayMs(), null, () => {
        if (this.#channel === "silent" || this.isCutOff || this.isOver) return;
        if (this.#server.isDown) this.#channel = "broken";
        if (this.#channel === "broken") world.after(this.#delayMs(), this.#process, broken);
        else this.#server.execute(() => this.#channel === "open" && this.#inOrder(resolve));
      });
    });
  }

  connect(): void {
    this.#channel = "open";
    this.#noticedAt = 0;
  }

  #inOrder(deliver: () => void): void {
    const at = Math.max(this.#noticedAt, this.#world.now + this.#delayMs() + this.noticeLagMs);
    this.#noticedAt = at;
    this.#world.after(at - this.#world.now, this.#process, deliver);
  }

  #delayMs(): number {
    const { random } = this.#world;
    return random() < 0.9 ? 0.2 + random() * 2 : random() * 60;
  }
}
