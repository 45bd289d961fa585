/** Reason phrases of the IANA registry (RFC 9110 section 15), for the answers that the tiers make themselves. */
import { STATUS_CODES } from "node:http";

/** @returns the phrase, or "" when the status has none; RFC 9112 section 4 allows it to be absent. */
export function reasonPhrase(status: number): string {
  return STATUS_CODES[status] ?? "";
}
