/**
 * The one error class. `source` says who caused it, `retry` whether the same request may be sent once more,
 * `code` is what users match on; every code is listed in docs/errors.md (a test compares the two).
 */

export type ErrorSource = "client" | "server" | "internal";
/** `reused`: only when the failed connection had been used before (the keep-alive race). */
export type Retry = "yes" | "no" | "reused";

export interface ErrorOptions {
  readonly source?: ErrorSource;
  readonly retry?: Retry;
  readonly cause?: unknown;
}

export class FlotillaError extends Error {
  override readonly name: string = "FlotillaError";
  readonly code: string;
  readonly source: ErrorSource;
  readonly retry: Retry;

  /** @param message what happened, where, and what to do: one line, for a person. */
  constructor(code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.source = options.source ?? "internal";
    this.retry = options.retry ?? "no";
  }
}

/** The text of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The `code` of a system error ("EADDRINUSE"), or "". */
export function codeOf(thrown: unknown): string {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) return "";
  return typeof thrown.code === "string" ? thrown.code : "";
}
