/**
 * The server that is done soonest, as servers themselves tell it: requests in flight, times how much longer a request takes there for
 * what else its processor has to do. Without reports this is least-connections.
 */
import { LeastCost } from "./least-cost.ts";
import type { Candidate } from "./policy.ts";

/**
 * Of the requests of other web servers so much counts. What a server says of them is a moment old, and all web servers hear the same:
 * if they counted in full, all would turn to one server at once, then to the next (Dahlin, "Interpreting Stale Load
 * Information", 2000). In simulation a tenth gains where servers are unequal, and loses nowhere.
 */
const countOfOthers = 0.1;

export class LeastLoad<C extends Candidate> extends LeastCost<C> {
  protected costOf({ inFlight, inFlightElsewhere, slowness }: C): number {
    return (inFlight + countOfOthers * inFlightElsewhere + 1) * slowness - 1;
  }
}
