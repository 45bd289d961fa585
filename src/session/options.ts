/** The options of `session()`: express-session's where they make sense here, checked when the middleware is made. */
import { createHash } from "node:crypto";
import { parseDuration } from "../config/quantities.ts";
import { session as limits } from "../support/limits.ts";
import { Cookie, type CookieOptions } from "./cookie.ts";
import { isCookieName } from "./cookie-header.ts";
import type { SessionHabits } from "./keeper.ts";
import { type MovingFrom, OldCookies, whyNotMovingFrom } from "./moving-from.ts";
import { refuseOption } from "./refused-option.ts";
import type { ConflictHook } from "./session-conflict.ts";
import type { SessionEngine } from "./stores/engine.ts";
import { whyNoEngine } from "./stores/given-store.ts";

export interface SessionOptions {
  /** The cookie's name. In a cluster the file says it (`sessions: cookie`), because the web tier must know it too. */
  name?: string;
  cookie?: CookieOptions;
  /** Outside a cluster: what ids are signed with, the new one first and at most one before it. In a cluster the file's secret is used. */
  secret?: string | Buffer | readonly (string | Buffer)[];
  /** Send the cookie with every response, so that `maxAge` counts from the last request. */
  rolling?: boolean;
  /** Keep sessions that hold nothing. */
  saveUninitialized?: boolean;
  /** What `req.session = null` means: "destroy" it, or "keep" it as it was. */
  unset?: "keep" | "destroy";
  /** Whether X-Forwarded-Proto tells that the browser used https. Default: what Express's `trust proxy` says. */
  proxy?: boolean;
  /**
   * A session that no request used for so long ends: "30m", or milliseconds. Default: `cookie.maxAge`, else what the file says, else 30
   * minutes. A `maxAge` that is set at one session's `cookie` comes first for that one.
   */
  idleTimeout?: string | number;
  /** A session ends so long after it began, however it is used: "12h", milliseconds, or "unlimited". Default: what the file says. */
  absoluteTimeout?: string | number;
  /**
   * "always": each request that used a session tells the servers that keep it, before it is answered. "on-change": those that
   * changed it. Default: what the file says. Outside a cluster there is nobody to tell.
   */
  save?: "on-change" | "always";
  /** Makes one value of two, where two requests changed the same top-level key at the same time. Without it the later one wins. */
  onConflict?: ConflictHook;
  /** A site that has moved in: visitors with a cookie of before find their session, if it was taken along (docs/moving-in.md). */
  movingFrom?: MovingFrom;
  /**
   * A database that keeps the sessions: `postgresStore({ pool })` of flotilla/session/postgres, or of mysql, redis or file beside it. In a
   * cluster it comes before the file's `store:`; elsewhere it needs `secret`, which all processes on the database have alike.
   */
  store?: SessionEngine;
  /**
   * With a database: "cached" answers from this process's copies, of whose changes it is told; "always" reads it with each request.
   * Default: in a cluster what the file says, elsewhere "always".
   */
  load?: "cached" | "always";
  /**
   * What becomes of a request whose session can't be had now: "refuse" answers it 503, "proceed" hands it on without `req.session`, and its
   * answer says `Flotilla-Session: unavailable`. Requests without a session are served either way.
   */
  whenUnavailable?: "refuse" | "proceed";
  /** Has no meaning here: only changed keys are ever saved. Accepted so that an application can move in as it is. */
  resave?: boolean;
}

/** Without a `secret` there is none: null, and the caller makes a random one. */
export interface OwnSecrets {
  readonly secret: Buffer;
  readonly previousSecret: Buffer | null;
}

const notTakenOver: Readonly<Record<string, string>> = {
  genid: "ids are signed and say where their session lives",
  key: "write `name`",
};
const known = [
  ...["name", "cookie", "secret", "rolling", "saveUninitialized", "unset", "proxy", "resave"],
  ...["idleTimeout", "absoluteTimeout", "save", "onConflict", "movingFrom"],
  ...["store", "load", "whenUnavailable"],
];

/** @throws FlotillaError FLOTILLA_SESSION_OPTION */
export function checkOptions(options: SessionOptions): void {
  if (!isObject(options)) refuse("options", `they are an object, not ${String(options)}`);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    refuse(name, notTakenOver[name] ?? `it is none of ${known.join(", ")}`);
  }
  const { name, unset, cookie, save, onConflict, store, load, whenUnavailable } = options;
  if (name !== undefined && !isCookieName(name))
    refuse("name", `${JSON.stringify(name)} is no name for a cookie`);
  if (unset !== undefined && unset !== "keep" && unset !== "destroy")
    refuse("unset", 'it is "keep" or "destroy"');
  if (cookie !== undefined && !isObject(cookie))
    refuse("cookie", `it is an object of settings, not ${String(cookie)}`);
  if (save !== undefined && save !== "on-change" && save !== "always")
    refuse(
      "save",
      (save as string) === "on-shutdown"
        ? "the file says it for all of a cluster, with durability: memory"
        : 'it is "on-change" or "always"',
    );
  if (load !== undefined && load !== "cached" && load !== "always")
    refuse("load", 'it is "cached" or "always"');
  if (load !== undefined && store === undefined)
    refuse(
      "load",
      "it goes with store; for a database that the file names the file says it (sessions: load:)",
    );
  if (whenUnavailable !== undefined && whenUnavailable !== "refuse" && whenUnavailable !== "proceed")
    refuse("whenUnavailable", 'it is "refuse" or "proceed"');
  const wrong = store === undefined ? null : whyNoEngine(store);
  if (wrong !== null) refuse("store", wrong);
  if (onConflict !== undefined && typeof onConflict !== "function")
    refuse("onConflict", `it is a function, not ${String(onConflict)}`);
  const notMoving = options.movingFrom === undefined ? null : whyNotMovingFrom(options.movingFrom);
  if (notMoving !== null) refuse("movingFrom", notMoving);
  const idleTimeoutMs = timeoutMsOf("idleTimeout", options.idleTimeout);
  const absoluteTimeoutMs = timeoutMsOf("absoluteTimeout", options.absoluteTimeout);
  if (idleTimeoutMs === Number.POSITIVE_INFINITY)
    refuse("idleTimeout", "a session that nobody uses has to end; ten years are allowed");
  if (idleTimeoutMs !== null && absoluteTimeoutMs !== null && absoluteTimeoutMs < idleTimeoutMs)
    refuse("absoluteTimeout", "it is shorter than idleTimeout, which would never be reached");
  try {
    new Cookie(cookie?.sameSite === "auto" ? { ...cookie, sameSite: "lax" } : cookie).check();
  } catch (error) {
    refuse("cookie", (error as Error).message);
  }
}

export function habitsOf(options: SessionOptions, name: string): SessionHabits {
  return {
    name,
    cookie: { ...options.cookie },
    proxy: options.proxy,
    rolling: options.rolling ?? false,
    saveUninitialized: options.saveUninitialized ?? false,
    unset: options.unset ?? "keep",
    idleTimeoutMs: timeoutMsOf("idleTimeout", options.idleTimeout),
    absoluteTimeoutMs: timeoutMsOf("absoluteTimeout", options.absoluteTimeout),
    save: options.save ?? null,
    onConflict: options.onConflict ?? null,
    movingFrom: options.movingFrom === undefined ? null : OldCookies.of(options.movingFrom),
    whenUnavailable: options.whenUnavailable ?? "refuse",
  };
}

/** Null: not said. @throws FlotillaError FLOTILLA_SESSION_OPTION */
function timeoutMsOf(name: string, value: string | number | undefined): number | null {
  if (value === undefined) return null;
  if (value === "unlimited" || value === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  const ms = typeof value === "string" ? parseDuration(value) : value;
  if (typeof ms === "number" && ms > 0 && ms <= limits.idleTimeoutMsMax) return ms;
  refuse(name, `${JSON.stringify(value)} is no time: write "30m", "12h" or milliseconds, ten years at most`);
}

/** @throws FlotillaError FLOTILLA_SESSION_OPTION */
export function ownSecrets(options: SessionOptions): OwnSecrets | null {
  if (options.secret === undefined) return null;
  const all = Array.isArray(options.secret) ? options.secret : [options.secret];
  const [secret, previous, ...more] = all as readonly (string | Buffer | undefined)[];
  if (!isSecret(secret) || more.length > 0 || (previous && !isSecret(previous)))
    refuse("secret", "it is one secret, or the new one and the one before");
  return { secret: toKey(secret), previousSecret: previous ? toKey(previous) : null };
}

/** With an empty one anybody could sign. */
function isSecret(secret: unknown): secret is string | Buffer {
  return (typeof secret === "string" || Buffer.isBuffer(secret)) && secret.length > 0;
}

/** Of a process that shares its sessions with others. @throws FlotillaError FLOTILLA_SESSION_OPTION */
export function sharedSecrets(options: SessionOptions): OwnSecrets {
  const secrets = ownSecrets(options);
  if (secrets !== null) return secrets;
  refuse(
    "store",
    "outside of a cluster it needs secret: ids are signed with it, and all processes that use the store must have the same",
  );
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Secrets of applications are words of any length. */
function toKey(secret: string | Buffer): Buffer {
  return createHash("sha256").update(secret).digest();
}

function refuse(name: string, reason: string): never {
  refuseOption("session", name, reason);
}
