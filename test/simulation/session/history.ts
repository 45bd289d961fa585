/** A run told so that a person can follow it: who, what, when, and around the first violation only. */
import type { Outcome } from "./simulation.ts";

const beforeMs = 6_000;

/** @param isWhole all of it, not only what led to the first violation. */
export function tellHistory({ seed, violations, history, faults }: Outcome, isWhole: boolean): string {
  const first = history.findIndex(({ who }) => who === "oracle" && true);
  const at = history.find(({ what }) => what.startsWith("VIOLATION"))?.at ?? Number.POSITIVE_INFINITY;
  const lines = history.filter(
    (line) =>
      isWhole || first === -1 || line.who === "fault" || (line.at >= at - beforeMs && line.at <= at + 1),
  );
  return [
    `seed ${seed}: ${violations.length === 0 ? "nothing wrong" : violations.join("\n  ")}`,
    `faults: ${faults.join("; ")}`,
    ...lines.map(({ at: time, who, what }) => `${time.toFixed(1).padStart(9)}  ${who.padEnd(9)} ${what}`),
  ].join("\n");
}
