import { FlotillaError } from "../support/errors.ts";

/** No answer of a voter, or of enough voters. Asking again later does no harm. */
export function unreachable(message: string, cause?: unknown): FlotillaError {
  return new FlotillaError("FLOTILLA_REGISTER_UNREACHABLE", message, {
    source: "server",
    retry: "yes",
    cause,
  });
}
