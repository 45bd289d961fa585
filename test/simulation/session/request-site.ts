/**
 * The real middleware on simulated servers without faults: requests on any of them, counted in messages. All times are the
 * simulation's.
 */
import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ClusterStore } from "../../../src/session/cluster/cluster-store.ts";
import { Role } from "../../../src/session/cluster/slot.ts";
import { SessionIds } from "../../../src/session/id.ts";
import type { SessionOptions } from "../../../src/session/index.ts";
import { Keeper, type SessionPlace } from "../../../src/session/keeper.ts";
import { middlewareOf, type SessionMiddleware } from "../../../src/session/middleware.ts";
import { habitsOf } from "../../../src/session/options.ts";
import { silentLog } from "../../../src/support/log.ts";
import { type App, Simulation } from "./simulation.ts";

export const secret: Buffer = Buffer.alloc(32, 1);

export interface Server {
  readonly store: ClusterStore;
  readonly app: App;
  readonly ids: SessionIds;
  readonly serve: SessionMiddleware;
  readonly processIndex: number;
}

// biome-ignore lint/suspicious/noExplicitAny: data of tests.
export type Handler = (session: any) => unknown;

/** Everything a middleware may ask of a response. */
class Response {
  statusCode = 200;
  #isHeadSent = false;
  readonly fields: Map<string, unknown> = new Map();
  isEnded = false;

  get headersSent(): boolean {
    return this.#isHeadSent;
  }

  getHeader = (name: string): unknown => this.fields.get(name);
  setHeader = (name: string, value: unknown): unknown => this.fields.set(name, value);
  writeHead = (): void => {
    this.#isHeadSent = true;
  };
  end = (): void => {
    if (!this.#isHeadSent) this.writeHead();
    this.isEnded = true;
  };
}

export interface SiteOptions {
  /** Of the application's `session()`. */
  readonly options?: SessionOptions;
  /** Of the file. */
  readonly place?: Partial<SessionPlace>;
  /** With `durability: backup+disk`. */
  readonly hasDisks?: boolean;
}

export class Site {
  readonly #simulation: Simulation;
  readonly servers: readonly Server[];
  /** Frames between servers since the last look, heartbeats aside. */
  #frames = 0;
  #bytes = 0;

  private constructor(seed: number, { options = {}, place: ofFile = {}, hasDisks = false }: SiteOptions) {
    this.#simulation = new Simulation(seed, { rollsOut: false, hasDisks });
    const { network, places, world } = this.#simulation;
    const send = network.send.bind(network);
    network.send = (connection, from, frame, isBeat) => {
      if (!isBeat) {
        this.#frames++;
        this.#bytes += frame.byteLength;
      }
      send(connection, from, frame, isBeat);
    };
    for (const { server } of places) this.#simulation.start(server);
    while (!this.#simulation.isWhole()) world.runUntil(world.now + 100);
    world.runUntil(world.now + 5_000);
    assert.ok(this.#simulation.isWhole());
    // The letters of one entry with several processes: only the process index tells them apart.
    const marks = new Map(
      places.map(({ server }, index) => [server, { letter: "a", processIndex: index + 1 }]),
    );
    this.servers = places.map(({ server }) => {
      const app = this.#simulation.apps.get(server)!;
      const ids = new SessionIds(secret, null, "app");
      const store = new ClusterStore({ node: app.node, ids, marks, random: world.random });
      const absoluteTimeoutMs = Number.POSITIVE_INFINITY;
      const place = {
        ...{ store, ids, idleTimeoutMs: 60_000, absoluteTimeoutMs, save: "on-change" as const },
        ...{ log: silentLog, updates: new Map(), ...ofFile },
      };
      const serve = middlewareOf(new Keeper(place, habitsOf(options, "sid")));
      return { app, ids, store, serve, processIndex: marks.get(server)!.processIndex };
    });
  }

  /** With three servers at least. */
  static start(options: SiteOptions = {}): Site {
    for (let seed = 1; ; seed++) {
      const site = new Site(seed, options);
      if (site.servers.length >= 3) return site;
    }
  }

  async pass(ms: number): Promise<void> {
    const { world } = this.#simulation;
    for (const end = world.now + ms; world.now < end; ) {
      world.runUntil(world.now + 1);
      await nextTurn();
    }
  }

  /** In the order: owner, backup, another one. */
  serversOf(id: string): [owner: Server, backup: Server, other: Server] {
    const { slot } = this.servers[0]!.ids.verify(id)!;
    const of = (role: Role): Server =>
      this.servers.find(({ app }) => app.node.context.slots[slot]!.role === role)!;
    return [of(Role.owner), of(Role.backup), of(Role.nobody)];
  }

  moveAway(server: Server): Promise<void> {
    server.app.node.leave();
    return this.pass(5_000);
  }

  async frames(run: () => Promise<unknown>): Promise<number> {
    this.#frames = 0;
    await run();
    await this.pass(300);
    return this.#frames;
  }

  /** In those frames. */
  async bytes(run: () => Promise<unknown>): Promise<number> {
    this.#bytes = 0;
    await this.frames(run);
    return this.#bytes;
  }

  /** @returns the id of the cookie that the answer sets, or "". */
  async visit(server: Server, id: string, handle: Handler): Promise<{ status: number; id: string }> {
    const response = new Response();
    const req: { headers: object; session?: unknown } = { headers: id === "" ? {} : { cookie: `sid=${id}` } };
    server.serve(req, response, (error) => {
      assert.equal(error, undefined);
      void Promise.resolve(handle(req.session)).then(() => response.end());
    });
    for (let waited = 0; !response.isEnded && waited < 3_000; waited++) await this.pass(1);
    assert.ok(response.isEnded);
    const cookie = String(response.fields.get("Set-Cookie") ?? "");
    return { status: response.statusCode, id: /^sid=([^;]+)/.exec(cookie)?.[1] ?? "" };
  }

  async begin(server: Server = this.servers[0]!): Promise<string> {
    const { id } = await this.visit(server, "", (session) => {
      session.cart = { items: [1] };
    });
    assert.notEqual(id, "");
    return id;
  }
}
