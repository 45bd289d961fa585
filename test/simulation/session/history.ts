/** A run told so that a person can follow it: what went wrong, what was done, and then who did what of all that concerns it. */
import type { Outcome } from "./simulation.ts";
import type { Line } from "./world.ts";

const beforeMs = 6_000;
const visitorsSession = /^[vd]\d+\.\d+$/;

/** @param isWhole all of it, not only what led to the first violation. */
export function tellHistory(outcome: Outcome, isWhole: boolean): string {
  const { seed, site, violations, history, faults } = outcome;
  const at = history.find(({ what }) => what.startsWith("VIOLATION"))?.at ?? Number.POSITIVE_INFINITY;
  const concerns = concernedBy(violations[0] ?? "");
  const lines = history.filter(
    (line) =>
      isWhole ||
      line.who === "fault" ||
      (violations.length > 0 && line.at >= at - beforeMs && line.at <= at + 1 && concerns.isTold(line)),
  );
  return [
    `seed ${seed}: ${violations.length === 0 ? "nothing wrong" : "WRONG"}`,
    ...violations.map((violation) => `  ${violation}`),
    `Servers: ${site}`,
    "What was done to them (ms since the start):",
    ...faults.map((fault) => `  ${fault}`),
    isWhole
      ? "All that happened. app-b#5 is the fifth process to be started, as app-b."
      : `What happened to ${concerns.name} in the last 6 s, and all faults; --all tells everything. app-b#5 is the fifth process to be started, as app-b.`,
    ...lines.map(({ at: time, who, what }) => `${time.toFixed(1).padStart(9)}  ${who.padEnd(9)} ${what}`),
  ].join("\n");
}

interface Concerned {
  readonly name: string;
  isTold(line: Line): boolean;
}

/** The session and the slots of which a violation speaks. */
function concernedBy(violation: string): Concerned {
  const session = /([vd]\d+\.\d+) \(slot/.exec(violation)?.[1] ?? null;
  const slots = /slots? ([\d,]+)/.exec(violation)?.[1]?.split(",") ?? null;
  const name = [session, slots === null ? null : `slot ${slots.join()}`].filter((part) => part !== null);
  return {
    name: name.length === 0 ? "all" : name.join(" and "),
    isTold({ who, what }) {
      if (visitorsSession.test(who)) return who === session;
      const refused = /^([vd]\d+) is refused/.exec(what)?.[1];
      if (refused !== undefined) return session === null || session.startsWith(`${refused}.`);
      const slot = /slot (\d+)/.exec(what)?.[1];
      return slot === undefined || slots === null || slots.includes(slot) || who === "oracle";
    },
  };
}
