/**
 * Holds a response until its session is committed: a browser follows a redirect at its head, so the head waits for
 * every change made until then, and after later changes the last byte waits. With a store that answers at once
 * nothing is held. Needs of the response only what the smallest ones have: set/get/removeHeader, write,
 * writeHead and end (those that lack writeHead and end, as `{}` for an upgrade, are left alone).
 *
 * The hooks are shared functions that find their state at the response, so that a request makes no closures.
 */
import { AsyncResource } from "node:async_hooks";
import { STATUS_CODES } from "node:http";
import { FlotillaError, messageOf } from "../support/errors.ts";
import { session as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { TimerWheel, WheelEntry } from "../support/timer-wheel.ts";
import type { RequestSession } from "./request-session.ts";
import { isGone } from "./store.ts";

type Method = (...args: unknown[]) => unknown;

export interface SessionResponse {
  statusCode?: number;
  statusMessage?: string;
  readonly headersSent?: boolean;
  getHeader?(name: string): unknown;
  setHeader?(name: string, value: unknown): unknown;
  removeHeader?(name: string): unknown;
  getHeaderNames?(): string[];
  appendHeader?(name: string, value: unknown): unknown;
  writeHead?: Method;
  write?: Method;
  end?: Method;
  flushHeaders?: Method;
  emit?(event: string): boolean;
  destroy?(): unknown;
  readonly writableNeedDrain?: boolean;
  [held]?: ResponseHold;
}

const held: unique symbol = Symbol("flotilla.session");
const timeouts = new TimerWheel(100, 6);
const nothing: Method = () => undefined;

/** @param log where a response that had to be refused is told. */
export function holdResponse(res: SessionResponse, session: RequestSession, log: Log): void {
  if (typeof res.end !== "function" || typeof res.writeHead !== "function") return;
  res[held] = new ResponseHold(res, session, log);
  res.writeHead = writeHead;
  res.end = end;
  if (res.write !== undefined) res.write = write;
  if (res.flushHeaders !== undefined) res.flushHeaders = flushHeaders;
}

function writeHead(this: SessionResponse, ...args: unknown[]): unknown {
  return this[held]!.writeHead(args);
}

function write(this: SessionResponse, ...args: unknown[]): unknown {
  return this[held]!.write(args);
}

function end(this: SessionResponse, ...args: unknown[]): unknown {
  return this[held]!.end(args);
}

function flushHeaders(this: SessionResponse): void {
  this[held]!.flushHeaders();
}

/** Of a response that is or was held. It stays: to delete a property makes the whole object slow. */
const headersSent: PropertyDescriptor = {
  get(this: SessionResponse): unknown {
    return this[held]!.isHeld || Reflect.get(Object.getPrototypeOf(this), "headersSent", this);
  },
  configurable: true,
};

class ResponseHold {
  readonly #res: SessionResponse;
  readonly #session: RequestSession;
  readonly #log: Log;
  readonly #writeHead: Method;
  readonly #write: Method;
  readonly #end: Method;
  readonly #flushHeaders: Method;
  /** The head is decided: its changes are handed over and the cookie is set. */
  #isHeadReady = false;
  #isEnded = false;
  #isRefused = false;
  /** Calls that wait for the commit, in order; null when nothing is held. */
  #queue: (() => void)[] | null = null;

  constructor(res: SessionResponse, session: RequestSession, log: Log) {
    this.#res = res;
    this.#session = session;
    this.#log = log;
    this.#writeHead = res.writeHead ?? nothing;
    this.#write = res.write ?? nothing;
    this.#end = res.end ?? nothing;
    this.#flushHeaders = res.flushHeaders ?? nothing;
  }

  writeHead(args: unknown[]): unknown {
    // While it is held it counts as sent. Who looks at Node's own `_header` asks for it again with every write, as older compression does.
    if (this.#isRefused || this.#queue !== null) return this.#res;
    // Node calls writeHead itself at the first write or at the end: then the head is ready.
    if (!this.#isHeadReady && !this.#readyHead(args)) return this.#res;
    this.#go(() => this.#writeHead.apply(this.#res, args));
    return this.#res;
  }

  flushHeaders(): void {
    if (this.#isRefused || (!this.#isHeadReady && !this.#readyHead([]))) return;
    this.#go(() => this.#flushHeaders.call(this.#res));
  }

  write(args: unknown[]): unknown {
    if (this.#isRefused || (!this.#isHeadReady && !this.#readyHead([]))) return false;
    if (this.#queue === null) return this.#write.apply(this.#res, args);
    if (this.#isEnded) return false;
    this.#queue.push(() => this.#write.apply(this.#res, args));
    return false;
  }

  end(args: unknown[]): unknown {
    if (this.#isEnded || this.#isRefused) return this.#res;
    this.#isEnded = true;
    const wasHeadReady = this.#isHeadReady;
    if (!wasHeadReady && !this.#readyHead([])) return this.#res;
    try {
      this.#session.atEnd(wasHeadReady);
    } catch (error) {
      this.#refuse(failureOf(error));
      return this.#res;
    }
    if (this.#queue === null && !this.#holdOrRefuse()) return this.#res;
    this.#go(() => this.#end.apply(this.#res, args));
    return this.#res;
  }

  /** @returns false when the response was refused instead. */
  #readyHead(args: unknown[]): boolean {
    this.#isHeadReady = true;
    try {
      const cookie = this.#session.beforeHead();
      if (cookie !== null) this.#addCookie(cookie, args);
    } catch (error) {
      this.#refuse(failureOf(error));
      return false;
    }
    return this.#holdOrRefuse();
  }

  /** Holds it for what is not committed. @returns false when the store has refused that already, and the response with it. */
  #holdOrRefuse(): boolean {
    if (!this.#session.underWay.isSettled) {
      this.#hold();
      return true;
    }
    const { refusal } = this.#session.underWay;
    if (refusal === null || isGone(refusal)) return true;
    this.#refuse(refusal);
    return false;
  }

  #addCookie(cookie: string, args: unknown[]): void {
    // Fields given to writeHead replace those set before, our cookie among them: they are set first.
    const fields = args.at(-1);
    if (typeof fields === "object" && fields !== null) {
      setFields(this.#res, fields);
      args.pop();
    }
    const before = this.#res.getHeader?.("Set-Cookie");
    const all = before === undefined ? [] : Array.isArray(before) ? before : [String(before)];
    this.#res.setHeader?.("Set-Cookie", all.length === 0 ? cookie : [...all, cookie]);
  }

  #go(call: () => unknown): void {
    if (this.#queue === null) call();
    else this.#queue.push(call);
  }

  #hold(): void {
    this.#queue = [];
    // While it is held the head counts as sent: what would be too late afterwards is too late now.
    if (this.#res.headersSent === false) Object.defineProperty(this.#res, "headersSent", headersSent);
    // The store calls back in a context of its own, the timer in that of its first user; what follows belongs to this request (A50).
    const context = new AsyncResource("FlotillaSession");
    const timeout = new WheelEntry(() => context.runInAsyncScope(this.#refuse, this, null));
    timeouts.start(timeout, limits.commitTimeoutMs);
    this.#session.underWay.whenSettled((failure) => {
      timeouts.stop(timeout);
      if (!this.#isRefused) context.runInAsyncScope(this.#settle, this, failure);
    });
  }

  /** What the application's own listeners throw is theirs, not the store's, which goes on with the frame that it reads. */
  #settle(failure: FlotillaError | null): void {
    try {
      this.#settled(failure);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }

  #settled(failure: FlotillaError | null): void {
    if (failure !== null && !isGone(failure)) this.#refuse(failure);
    else this.#release();
  }

  get isHeld(): boolean {
    return this.#queue !== null;
  }

  #release(): void {
    const queue = this.#queue!;
    this.#queue = null;
    for (const call of queue) call();
    if (!this.#isEnded && this.#res.writableNeedDrain === false) this.#res.emit?.("drain");
  }

  /** The held response is thrown away and a short one told instead; null: not committed in time, outcome unknown. */
  #refuse(failure: FlotillaError | null): void {
    this.#isRefused = true;
    this.#queue = null;
    const res = this.#res;
    const code = failure?.code ?? "FLOTILLA_SESSION_COMMIT_TIMEOUT";
    const what =
      failure?.message ?? `not committed within ${limits.commitTimeoutMs} ms; whether it will be is unknown`;
    this.#log.error({ code }, `a response was refused, its session could not be saved: ${what}`);
    if (res.headersSent) {
      // Too late to say it: the missing end of the body does.
      res.destroy?.();
      return;
    }
    for (const name of res.getHeaderNames?.() ?? []) res.removeHeader?.(name);
    const status = failure?.source === "server" ? 500 : 503;
    const body = `${status} ${STATUS_CODES[status]}: the session could not be saved (${code}).\n`;
    res.statusCode = status;
    res.statusMessage = STATUS_CODES[status]!;
    res.setHeader?.("Content-Type", "text/plain; charset=utf-8");
    res.setHeader?.("Content-Length", body.length);
    res.setHeader?.("Cache-Control", "no-store");
    this.#isHeadReady = true;
    this.#isRefused = false;
    this.#end.call(res, body);
    this.#isRefused = true;
  }
}

/** What a value's own toJSON or getter throws is the application's error. */
function failureOf(thrown: unknown): FlotillaError {
  if (thrown instanceof FlotillaError) return thrown;
  return new FlotillaError(
    "FLOTILLA_SESSION_NOT_SERIALIZABLE",
    `req.session can't be read: ${messageOf(thrown)}`,
    {
      source: "server",
      cause: thrown,
    },
  );
}

function setFields(res: SessionResponse, fields: object): void {
  if (!Array.isArray(fields)) {
    for (const [name, value] of Object.entries(fields)) res.setHeader?.(name, value);
    return;
  }
  // [name, value, ...] or [[name, value], ...]; a name given here replaces what was set, and may stand twice.
  const flat: unknown[] = fields.flat(Array.isArray(fields[0]) ? 1 : 0);
  for (let i = 0; i < flat.length; i += 2) res.removeHeader?.(String(flat[i]));
  for (let i = 0; i < flat.length; i += 2) res.appendHeader?.(String(flat[i]), flat[i + 1]);
}
