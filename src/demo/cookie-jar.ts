/** The cookies of one visitor of one site: what a browser keeps and sends back (RFC 6265, sections 5.2 to 5.4). */

interface Cookie {
  readonly value: string;
  readonly path: string;
  /** Wall-clock milliseconds, or Infinity for as long as the visit lasts. */
  readonly expiresAt: number;
}

export class CookieJar {
  readonly #cookies = new Map<string, Cookie>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Takes in one Set-Cookie field. What is no cookie, and what only TLS may carry, is ignored. */
  store(field: string): void {
    const [pair = "", ...attributes] = field.split(";");
    const equals = pair.indexOf("=");
    const name = pair.slice(0, equals).trim();
    if (equals < 1 || name === "") return;
    let path = "/";
    let expiresAt = Infinity;
    let maxAgeGiven = false;
    for (const attribute of attributes) {
      const [key = "", value = ""] = attribute.split("=", 2).map((part) => part.trim());
      switch (key.toLowerCase()) {
        case "secure":
          return;
        case "path":
          if (value.startsWith("/")) path = value;
          break;
        case "max-age":
          if (!/^-?[0-9]+$/.test(value)) break;
          maxAgeGiven = true;
          expiresAt = Number(value) <= 0 ? 0 : this.#now() + Number(value) * 1_000;
          break;
        case "expires":
          // Max-Age wins wherever both stand.
          if (!maxAgeGiven && !Number.isNaN(Date.parse(value))) expiresAt = Date.parse(value);
          break;
      }
    }
    if (expiresAt <= this.#now()) this.#cookies.delete(name);
    else this.#cookies.set(name, { value: pair.slice(equals + 1).trim(), path, expiresAt });
  }

  /** The Cookie field for a request of `path`, or "" when there is nothing to send. */
  header(path: string): string {
    const pairs: string[] = [];
    for (const name of this.#cookies.keys()) {
      const value = this.get(name, path);
      if (value !== undefined) pairs.push(`${name}=${value}`);
    }
    return pairs.join("; ");
  }

  get(name: string, path: string = "/"): string | undefined {
    const cookie = this.#cookies.get(name);
    if (cookie === undefined || cookie.expiresAt <= this.#now() || !covers(cookie.path, path))
      return undefined;
    return cookie.value;
  }
}

/** RFC 6265, section 5.1.4. */
function covers(cookiePath: string, path: string): boolean {
  if (!path.startsWith(cookiePath)) return false;
  return cookiePath.endsWith("/") || path.length === cookiePath.length || path[cookiePath.length] === "/";
}
