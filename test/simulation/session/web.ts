/**
 * The simulated web tier. A request goes to the owner that its session id names, else to the backup, else to anybody, and
 * now and then to anybody at all. A web server can stand still, and can be cut off from app servers: then a request comes
 * late or never, its answer is lost, and one that may be sent twice is sent again elsewhere while the first may still run.
 */
import type { VerifiedId } from "../../../src/session/id.ts";
import type { FlotillaError } from "../../../src/support/errors.ts";
import { knows, letterOf, type Setup } from "./setup.ts";
import type { App } from "./simulation.ts";
import { Process, type World } from "./world.ts";

/** A request that a cut holds up arrives by then, or never. */
const heldMsMax = 3_000;
/** One that was not answered for so long is sent again where that is allowed. */
const patienceMs = 2_500;
const triesMax = 3;

/** Ends a request. `told`: what its visitor knows from the moment at which the head of the answer leaves. */
export type End = (error: FlotillaError | null, told: () => void) => void;

export interface Request {
  readonly visitor: string;
  /** Null: without a session. */
  readonly id: VerifiedId | null;
  /** It may be sent twice, and its visitor may go away before it ends. */
  readonly isSafe: boolean;
  handle(app: App, end: End): void;
  refused(): void;
  /** Once: the visitor goes on, told or not. */
  over(): void;
}

export class WebServer {
  readonly process: Process;
  /** App servers that it can't reach, with how often they were cut off. */
  readonly cuts: Map<string, number> = new Map();
  /** It is started again with another one in no time. */
  setup: Setup;

  constructor(world: World, name: string, setup: Setup) {
    this.setup = setup;
    this.process = new Process(world, name, "1", 1);
  }

  isCut(server: string): boolean {
    return (this.cuts.get(server) ?? 0) > 0;
  }
}

export class WebTier {
  readonly servers: readonly WebServer[];
  readonly #world: World;
  readonly #apps: ReadonlyMap<string, App>;
  /** Requests that are sent anywhere. */
  readonly #strayShare: number;

  constructor(world: World, apps: ReadonlyMap<string, App>, setup: Setup) {
    this.#world = world;
    this.#apps = apps;
    this.servers = [new WebServer(world, "web-a", setup), new WebServer(world, "web-b", setup)];
    this.#strayShare = world.pick([0.02, 0.1, 0.5]);
  }

  request(request: Request): void {
    const world = this.#world;
    const web = world.pick(this.servers);
    let isOver = false;
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      request.over();
    };
    world.after(world.between(0.2, 1), web.process, () =>
      this.#send(web, request, new Set(), over, () => isOver),
    );
    // The visitor closes the page, or reloads it.
    if (request.isSafe && world.chance(0.02)) world.after(world.between(0, 400), null, over);
  }

  /** @param tried servers that were asked before. */
  #send(web: WebServer, request: Request, tried: Set<string>, over: () => void, isOver: () => boolean): void {
    const world = this.#world;
    const app = this.#choose(web, request.id, tried);
    if (app === null) {
      world.after(50, null, over);
      return;
    }
    const { process } = app;
    tried.add(process.server);
    const sentAt = world.now;
    let isAnswered = false;
    let isGivenUp = false;
    const giveUp = (): void => {
      if (isAnswered || isGivenUp || isOver()) return;
      isGivenUp = true;
      if (request.isSafe && tried.size < triesMax) this.#send(web, request, tried, over, isOver);
      else over();
    };
    // A killed process answers nothing more; a request that it never began is over too.
    const watch = (): void => {
      if (isAnswered || isGivenUp || isOver()) return;
      const hasPatience = !request.isSafe || world.now - sentAt < patienceMs;
      if (process.isAlive && hasPatience) world.after(200, web.process, watch);
      else giveUp();
    };
    world.after(200, web.process, watch);
    const answer: End = (error, told) => {
      if (error !== null) {
        request.refused();
        world.tell(process.name, `${request.visitor} is refused: ${error.code}`);
      } else told();
      this.#carry(web, process.server, () =>
        web.process.happen(() => {
          isAnswered = true;
          if (!isGivenUp) over();
        }),
      );
    };
    this.#carry(web, process.server, (arrives) => {
      if (arrives) process.happen(() => request.handle(app, answer));
      else giveUp();
    });
  }

  /** @param then with false: it was lost. */
  #carry(web: WebServer, server: string, then: (arrives: boolean) => void): void {
    const world = this.#world;
    const untilMs = world.now + heldMsMax;
    const arrive = (): void => {
      if (!web.isCut(server)) then(true);
      else if (world.now < untilMs && world.chance(0.9)) world.after(world.between(50, 500), null, arrive);
      else then(false);
    };
    world.after(world.between(0.5, 4), null, arrive);
  }

  #choose(web: WebServer, id: VerifiedId | null, tried: ReadonlySet<string>): App | null {
    const world = this.#world;
    const running = [...this.#apps.values()].filter(
      ({ process: { server } }) => !tried.has(server) && knows(web.setup, server),
    );
    const staying = running.filter(({ isLeaving }) => !isLeaving);
    // When all leave, whoever is still there is asked.
    const usable = staying.length > 0 ? staying : running;
    // A cut is noticed after a while.
    const among = usable.filter(({ process }) => !web.isCut(process.server) || world.chance(0.2));
    if (among.length === 0) return null;
    if (id === null || world.chance(this.#strayShare)) return world.pick(among);
    const named = [id.owner, id.backup].map((letter) =>
      among.find(({ process }) => letterOf(web.setup, process.server) === letter),
    );
    return named[0] ?? named[1] ?? world.pick(among);
  }
}
