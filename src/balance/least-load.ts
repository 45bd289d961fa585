/**
 * The server that is done soonest, as servers themselves tell it: requests in flight, of all web servers, times how much longer
 * a request takes there for what else its processor has to do. Without reports this is least-connections.
 */
import { LeastCost } from "./least-cost.ts";
import type { Candidate } from "./policy.ts";

export class LeastLoad<C extends Candidate> extends LeastCost<C> {
  protected costOf({ inFlight, inFlightElsewhere, slowness }: C): number {
    return (inFlight + inFlightElsewhere + 1) * slowness - 1;
  }
}
