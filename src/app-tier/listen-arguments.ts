/** What a call of `server.listen(...)` asks for: the forms that Node takes (lib/net.js, `normalizeArgs` and `listen`). */

export interface Asked {
  /** The port or the path, as one would write it into PORT. */
  readonly where: string;
  /** 0 for any free one, and for a path. */
  readonly port: number;
  readonly host: string | null;
  readonly callback: (() => void) | null;
  /** Closes the server when it aborts. */
  readonly signal: AbortSignal | null;
  /** To call `listen` again with, when callback and signal have been seen to. */
  readonly argumentsAlone: unknown[];
}

interface Options {
  readonly port?: unknown;
  readonly path?: unknown;
  readonly host?: unknown;
  readonly signal?: unknown;
}

/** @returns null for what only Node itself can answer: a descriptor, a handle, another server's, and what is wrong. */
export function askedFor(args: readonly unknown[]): Asked | null {
  const last = args.at(-1);
  const callback = typeof last === "function" ? (last as () => void) : null;
  const values = callback === null ? args : args.slice(0, -1);
  const options = optionsOf(values);
  if (options === null) return null;
  const { path, host, signal } = options;
  const port = typeof path === "string" ? 0 : portOf(options.port);
  if (port === null) return null;
  return {
    where: typeof path === "string" ? path : String(port),
    port,
    host: typeof host === "string" && host !== "" ? host : null,
    callback,
    signal: signal instanceof AbortSignal ? signal : null,
    argumentsAlone: signal instanceof AbortSignal ? [{ ...options, signal: undefined }] : [...values],
  };
}

function optionsOf([first, second]: readonly unknown[]): Options | null {
  if (typeof first === "object" && first !== null) {
    if ("fd" in first || "handle" in first || "_handle" in first || "listen" in first) return null;
    // Without both Node throws, and says what it wants.
    return "port" in first || "path" in first ? first : null;
  }
  if (typeof first === "string" && !(Number(first) >= 0)) return { path: first };
  return { port: first, ...(typeof second === "string" ? { host: second } : {}) };
}

function portOf(value: unknown): number | null {
  if (value === undefined || value === null) return 0;
  if (typeof value !== "number" && (typeof value !== "string" || value.trim() === "")) return null;
  const port = Number(value);
  return Number.isInteger(port) && port >= 0 && port <= 65_535 ? port : null;
}
