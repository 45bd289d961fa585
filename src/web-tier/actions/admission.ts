/** Who may use a route, and how often: `allow:`, `deny:`, `rateLimit:`. */
import type { Route } from "../../config/model.ts";
import type { PageStatus } from "../answer-pages.ts";
import { inNetworks, networksOf } from "../networks.ts";
import { RateLimit } from "./rate-limit.ts";

export interface Refusal {
  readonly status: PageStatus;
  /** More lines of the head, "Name: value CR LF ...". */
  readonly fields: string;
}

/** Null when the client may go on. */
export type Admission = (address: string) => Refusal | null;

const forbidden: Refusal = { status: 403, fields: "" };

/** @returns null where everybody may. Who is refused does not count for the rate. */
export function compileAdmission({ allow, deny, rateLimit }: Route): Admission | null {
  if (allow.length + deny.length === 0 && rateLimit === null) return null;
  const allowed = allow.length === 0 ? null : networksOf(allow);
  const denied = deny.length === 0 ? null : networksOf(deny);
  const rate = rateLimit === null ? null : new RateLimit(rateLimit);
  return (address) => {
    if (denied !== null && inNetworks(denied, address)) return forbidden;
    if (allowed !== null && !inNetworks(allowed, address)) return forbidden;
    const waitMs = rate === null ? 0 : rate.take(address);
    if (waitMs === 0) return null;
    return { status: 429, fields: `Retry-After: ${Math.ceil(waitMs / 1_000)}\r\n` };
  };
}
