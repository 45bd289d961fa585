/**
 * express-session itself, express-session with `FlotillaStore`, and `flotilla/session`, made in the same way: their documented habits
 * are checked against all three (test/session/express-session). Where ours does otherwise, the case asks `differs`, with a name of
 * express-session-differences.ts.
 */
import expressSession from "express-session";
import { FlotillaStore } from "../../src/session/foreign/express-session.ts";
import { session } from "../../src/session/index.ts";
import { Keeper } from "../../src/session/keeper.ts";
import { middlewareOf } from "../../src/session/middleware.ts";
import { checkOptions, habitsOf, ownSecrets } from "../../src/session/options.ts";
import { placeAlone } from "../../src/session/place.ts";
import type { Done, SessionStore } from "../../src/session/store.ts";
import { FlotillaError } from "../../src/support/errors.ts";
import { silentLog } from "../../src/support/log.ts";
import {
  type SessionDifference,
  type StoreDifference,
  storeDifferences,
} from "./express-session-differences.ts";
import type { AnyMiddleware, Handler } from "./session-site.ts";

export interface Options {
  name?: string;
  key?: string;
  cookie?: Record<string, unknown> | ((req: { url: string }) => Record<string, unknown>);
  rolling?: boolean;
  resave?: boolean | undefined;
  saveUninitialized?: boolean | undefined;
  unset?: string;
  proxy?: boolean;
  secret?: unknown;
  genid?: unknown;
}

/** What does not work now, of the store. */
export class Faults {
  load = false;
  save = false;
  destroy = false;
  /** Loads and saves so far. */
  loads = 0;
  saves = 0;
}

export interface Subject {
  readonly name: string;
  /** `session()` is no store and has none. */
  readonly isStore: boolean;
  make(options?: Options, faults?: Faults): AnyMiddleware;
  differs(difference: SessionDifference | StoreDifference): boolean;
}

const usual: Options = { secret: "a word", resave: false, saveUninitialized: false };

function expressSessionWith(makeStore: () => object) {
  return (options: Options = {}, faults: Faults | null = null): AnyMiddleware => {
    const store = makeStore();
    if (faults !== null) breakdown(store, faults);
    return expressSession({ ...usual, ...options, store }) as AnyMiddleware;
  };
}

type Method = (...args: unknown[]) => unknown;

function breakdown(store: object, faults: Faults): void {
  const methods = store as Record<string, Method>;
  const wrap = (name: string, isBroken: () => boolean): void => {
    const method = methods[name]!;
    methods[name] = (...args) => {
      const callback = args.at(-1);
      if (!isBroken()) return method.apply(store, args);
      if (typeof callback === "function") setImmediate(callback as Method, new Error("boom"));
      return undefined;
    };
  };
  wrap("get", () => ++faults.loads > 0 && faults.load);
  wrap("set", () => ++faults.saves > 0 && faults.save);
  wrap("touch", () => faults.save);
  wrap("destroy", () => faults.destroy);
}

function sessionWith(options: Options, faults: Faults): AnyMiddleware {
  checkOptions(options as object);
  const alone = placeAlone(ownSecrets(options as object));
  const inner = alone.store;
  const boom = (): FlotillaError => new FlotillaError("FLOTILLA_TEST", "boom");
  const saved = (done: Done): Done => {
    faults.saves++;
    return faults.save ? () => done(boom()) : done;
  };
  const store: SessionStore = {
    count: 0,
    newId: () => inner.newId(),
    renewed: (id) => inner.renewed(id),
    touch: (...use) => inner.touch(...use),
    load: (id, done) => {
      faults.loads++;
      if (faults.load) done(boom(), null, 0, 0);
      else inner.load(id, done);
    },
    create: (id, changes, ms, life, done) => inner.create(id, changes, ms, life, saved(done)),
    update: (id, changes, ms, done) => inner.update(id, changes, ms, saved(done)),
    compareAndSet: (id, changes, expected, ms, done) =>
      inner.compareAndSet(id, changes, expected, ms, saved(done)),
    destroy: (id, done) => (faults.destroy ? done(boom()) : inner.destroy(id, done)),
  };
  const habits = habitsOf(options as object, options.name ?? "sid");
  return middlewareOf(new Keeper({ ...alone, store, log: silentLog }, habits)) as AnyMiddleware;
}

export const subjects: readonly Subject[] = [
  {
    name: "express-session",
    isStore: true,
    make: expressSessionWith(() => new expressSession.MemoryStore()),
    differs: () => false,
  },
  {
    name: "express-session with FlotillaStore",
    isStore: true,
    make: expressSessionWith(() => new FlotillaStore()),
    differs: (difference) => difference in storeDifferences,
  },
  {
    name: "session()",
    isStore: false,
    make: (options = {}, faults) =>
      faults === undefined
        ? (session({ ...usual, ...options } as object) as AnyMiddleware)
        : sessionWith({ ...usual, ...options }, faults),
    differs: () => true,
  },
];

const count: Handler = (req, res) => {
  req.session.count = (req.session.count ?? 0) + 1;
  res.end(String(req.session.count));
};
const look: Handler = (req, res) => res.end(JSON.stringify({ ...req.session, cookie: undefined }));
export const habitRoutes: Record<string, Handler> = { "/count": count, "/look": look };
