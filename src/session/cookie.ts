/** The session cookie: its settings as an application sees them at `req.session.cookie`, and its Set-Cookie line (RFC 6265). */
import { inspect } from "node:util";
import { FlotillaError } from "../support/errors.ts";
import { session as limits } from "../support/limits.ts";

export interface CookieOptions {
  /** Milliseconds; null: until the browser is closed. Also how long an unused session is kept. */
  maxAge?: number | null | undefined;
  expires?: Date | null | false | undefined;
  /** Default "/". Requests outside of it get no session. */
  path?: string | undefined;
  domain?: string | undefined;
  /** Default true: scripts in the page can't read it. */
  httpOnly?: boolean | undefined;
  /** "auto": as the request came. */
  secure?: boolean | "auto" | undefined;
  /** Default "lax"; true is "strict", false writes none. "auto": "none" where the request came over https, else "lax". */
  sameSite?: boolean | "lax" | "strict" | "none" | "auto" | undefined;
  partitioned?: boolean | undefined;
  priority?: "low" | "medium" | "high" | undefined;
}

/** What of a cookie is kept with its session: all but the moment, so that a touch rewrites nothing. */
export type CookieSettings = Omit<CookieOptions, "maxAge" | "expires"> & { originalMaxAge?: number | null };

const priorities = ["low", "medium", "high"];
const sameSites = ["lax", "strict", "none"];
const settingNames = ["path", "domain", "httpOnly", "secure", "sameSite", "partitioned", "priority"] as const;

export class Cookie implements CookieSettings {
  path: string;
  domain: string | undefined;
  httpOnly: boolean;
  secure: boolean | "auto";
  sameSite: boolean | "lax" | "strict" | "none" | "auto";
  partitioned: boolean;
  priority: "low" | "medium" | "high" | undefined;
  /** What `maxAge` was set to, and is set to again by every use of the session; null without one. */
  originalMaxAge: number | null;
  /** Wall-clock milliseconds, because the browser's clock is meant. */
  #expiresAt: number | null;

  constructor(options: CookieOptions & CookieSettings = {}) {
    this.path = options.path ?? "/";
    this.domain = options.domain;
    this.httpOnly = options.httpOnly ?? true;
    this.secure = options.secure ?? false;
    this.sameSite = options.sameSite ?? "lax";
    this.partitioned = options.partitioned ?? false;
    this.priority = options.priority;
    this.originalMaxAge = options.originalMaxAge ?? null;
    this.#expiresAt = null;
    if (options.expires) this.expires = options.expires;
    else if (options.maxAge !== undefined) this.maxAge = options.maxAge;
    else this.resetMaxAge();
  }

  get expires(): Date | null {
    return this.#expiresAt === null ? null : new Date(this.#expiresAt);
  }

  set expires(date: Date | null | false) {
    if (date && !(date instanceof Date))
      throw new TypeError(`cookie.expires is a Date, null or false, not ${String(date)}`);
    this.#expiresAt = date ? date.getTime() : null;
    this.originalMaxAge = this.maxAge;
  }

  /** Milliseconds left, or null for a cookie that ends with the browser. */
  get maxAge(): number | null {
    return this.#expiresAt === null ? null : this.#expiresAt - Date.now();
  }

  set maxAge(ms: number | null) {
    if (ms !== null && (typeof ms !== "number" || Number.isNaN(ms))) {
      throw new TypeError(`cookie.maxAge is a number of milliseconds or null, not ${String(ms)}`);
    }
    this.originalMaxAge = ms;
    this.resetMaxAge();
  }

  /** Lets it live as long again as `originalMaxAge` says. */
  resetMaxAge(): void {
    this.#expiresAt = this.originalMaxAge === null ? null : Date.now() + this.originalMaxAge;
  }

  /** The settings as express-session names them. */
  get data(): CookieSettings & { expires: Date | null } {
    return { ...this.settings(), expires: this.expires };
  }

  toJSON(): CookieSettings & { expires: Date | null } {
    return this.data;
  }

  settings(): CookieSettings {
    const { originalMaxAge, path, domain, httpOnly, secure, sameSite, partitioned, priority } = this;
    return { originalMaxAge, path, domain, httpOnly, secure, sameSite, partitioned, priority };
  }

  /** Another one with the same settings, its time beginning now. */
  copy(): Cookie {
    return new Cookie(this.settings());
  }

  hasSettingsOf(other: Cookie): boolean {
    if (this.originalMaxAge !== other.originalMaxAge) return false;
    for (const name of settingNames) if (this[name] !== other[name]) return false;
    return true;
  }

  /**
   * Whether it can be kept and sent: asked before anything is stored.
   * @throws FlotillaError FLOTILLA_SESSION_COOKIE
   */
  check(): void {
    const { originalMaxAge: maxAge, domain, path, priority, sameSite } = this;
    if (maxAge !== null && !(typeof maxAge === "number" && Math.abs(maxAge) <= limits.maxAgeMsMax))
      refuse("maxAge (or expires)", `${inspect(maxAge)} ms from now is no date`);
    if (domain) checkAttribute("domain", domain);
    if (path) checkAttribute("path", path);
    if (priority) checkWord("priority", priority, priorities);
    if (sameSite && sameSite !== true) checkWord("sameSite", sameSite, sameSites);
  }

  /**
   * The value of Set-Cookie, of settings that were checked. Both Max-Age and Expires are written: the first does not
   * depend on the browser's clock, the second is what express-session's users look for.
   * @param leftMs so long the session can still live; Infinity where nothing is known to end it.
   */
  serialize(name: string, value: string, leftMs: number): string {
    let line = `${name}=${value}`;
    if (this.#expiresAt !== null) {
      const now = Date.now();
      const expiresAt = Math.min(this.#expiresAt, now + leftMs);
      line += `; Max-Age=${Math.max(0, Math.ceil((expiresAt - now) / 1_000))}`;
      line += `; Expires=${new Date(expiresAt).toUTCString()}`;
    }
    if (this.domain) line += `; Domain=${this.domain}`;
    if (this.path) line += `; Path=${this.path}`;
    if (this.httpOnly) line += "; HttpOnly";
    if (this.secure) line += "; Secure";
    if (this.partitioned) line += "; Partitioned";
    if (this.priority) line += `; Priority=${capital(this.priority)}`;
    if (this.sameSite) line += `; SameSite=${this.sameSite === true ? "Strict" : capital(this.sameSite)}`;
    return line;
  }
}

function checkAttribute(name: string, value: string): void {
  // RFC 6265, section 4.1.1: any character except controls and ";".
  const isSendable = typeof value === "string" && !/[\x00-\x1f\x7f;]|[^\x00-\xff]/.test(value);
  if (!isSendable) refuse(name, `${inspect(value)} is not allowed in a Set-Cookie header`);
}

function checkWord(name: string, word: string, words: readonly string[]): void {
  const isOne = typeof word === "string" && words.includes(word.toLowerCase());
  if (!isOne) refuse(name, `${inspect(word)} is none of ${words.join(", ")}`);
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
}

function refuse(name: string, reason: string): never {
  throw new FlotillaError("FLOTILLA_SESSION_COOKIE", `req.session.cookie.${name} can't be sent: ${reason}.`, {
    source: "server",
  });
}
