/** Options that `session()`, a `FlotillaStore` or the factory of a store can't honour: told where they are given, in one way. */
import { FlotillaError } from "../support/errors.ts";

/**
 * @param call "postgresStore", "new FlotillaStore". @param reason never holds a value, which may be a password.
 * @throws FlotillaError FLOTILLA_SESSION_OPTION, always.
 */
export function refuseOption(call: string, name: string, reason: string): never {
  throw new FlotillaError("FLOTILLA_SESSION_OPTION", `${call}({ ${name} }) is not possible: ${reason}`, {
    source: "server",
  });
}

/** @throws FlotillaError FLOTILLA_SESSION_OPTION of one that is not among those that are known. */
export function refuseUnknown(call: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    refuseOption(call, "options", "they are an object");
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) refuseOption(call, unknown, `it is none of ${known.join(", ")}`);
}
