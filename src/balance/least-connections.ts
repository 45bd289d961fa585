/** The usable server with the fewest requests in flight, by weight; equal ones in turn. */
import { LeastCost } from "./least-cost.ts";
import type { Candidate } from "./policy.ts";

export class LeastConnections<C extends Candidate> extends LeastCost<C> {
  protected costOf({ inFlight }: C): number {
    return inFlight;
  }
}
