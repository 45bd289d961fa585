/** From measured rounds to rows, a table, and what is promised of them. */
import { median } from "../report.ts";
import type { SessionKind } from "./site.ts";
import type { Page } from "./visitors.ts";

export type LoadKind = "saturation" | "steady";

/** One site in one round. */
export interface SessionSample {
  readonly kind: SessionKind;
  readonly page: Page;
  readonly load: LoadKind;
  readonly round: number;
  /** CPU time per request of all app processes, and of the store beside them. */
  readonly appUs: number;
  readonly storeUs: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Ours beside theirs. The ratio is the median of the rounds' own ratios; below 1 is better. */
export interface SessionRow {
  readonly name: string;
  readonly unit: "CPU us/request" | "ms";
  readonly ours: number;
  readonly theirs: number;
  readonly ratio: number;
  readonly ratioMin: number;
  readonly ratioMax: number;
}

const totalUs = (sample: SessionSample): number => sample.appUs + sample.storeUs;

const figures = [
  { figure: "cpu", unit: "CPU us/request", of: totalUs },
  { figure: "p50", unit: "ms", of: (sample: SessionSample): number => sample.p50Ms },
  { figure: "p99", unit: "ms", of: (sample: SessionSample): number => sample.p99Ms },
] as const;

/** What must hold. Above `farOff` the run fails: other work on the machine hardly explains that any more. */
const targets: readonly { name: string; ratioMax: number; farOff: number }[] = [
  { name: "write/saturation/cpu", ratioMax: 0.6, farOff: 1.25 },
  { name: "write/steady/cpu", ratioMax: 0.6, farOff: Number.POSITIVE_INFINITY },
  { name: "write/steady/p50", ratioMax: 1, farOff: Number.POSITIVE_INFINITY },
];

export function rowsOf(samples: readonly SessionSample[]): SessionRow[] {
  const rows: SessionRow[] = [];
  for (const [page, load] of groupsOf(samples)) {
    const of = (kind: SessionKind): SessionSample[] => pick(samples, kind, page, load);
    const [ours, theirs] = [of("flotilla"), of("redis")];
    for (const { figure, unit, of: value } of figures) {
      const ratios = ours.flatMap((own) => {
        const other = theirs.find(({ round }) => round === own.round);
        return other === undefined ? [] : [value(own) / value(other)];
      });
      rows.push({
        name: `${page}/${load}/${figure}`,
        unit,
        ours: rounded(median(ours.map(value))),
        theirs: rounded(median(theirs.map(value))),
        ratio: rounded(median(ratios)),
        ratioMin: rounded(Math.min(...ratios)),
        ratioMax: rounded(Math.max(...ratios)),
      });
    }
  }
  return rows;
}

/** Every site's medians, one line each, then the rows. */
export function table(samples: readonly SessionSample[], rows: readonly SessionRow[]): string {
  const lines = [
    line("page", "load", "sessions", "app us", "store us", "sum us", "requests/s", "p50 ms", "p99 ms"),
  ];
  for (const [page, load] of groupsOf(samples)) {
    for (const kind of ["none", "flotilla", "redis"] as const) {
      const own = pick(samples, kind, page, load);
      const middle = (value: (sample: SessionSample) => number, digits: number): string =>
        median(own.map(value)).toFixed(digits);
      lines.push(
        line(
          ...[page, load, kind, middle(({ appUs }) => appUs, 1), middle(({ storeUs }) => storeUs, 1)],
          ...[middle(totalUs, 1), middle(({ perSecond }) => perSecond, 0)],
          ...[middle(({ p50Ms }) => p50Ms, 2), middle(({ p99Ms }) => p99Ms, 2)],
        ),
      );
    }
    lines.push("");
  }
  lines.push("  ours beside express-session with connect-redis; below 1 is better");
  for (const { name, ours, theirs, ratio, ratioMin, ratioMax } of rows) {
    const [left, right] = [ours.toFixed(2).padStart(8), theirs.toFixed(2).padStart(8)];
    const spread = `(${ratioMin.toFixed(2)} to ${ratioMax.toFixed(2)})`;
    lines.push(`  ${name.padEnd(22)} ${left} ${right}  ratio ${ratio.toFixed(2)} ${spread}`);
  }
  return lines.join("\n");
}

export function verdicts(rows: readonly SessionRow[]): { lines: string[]; isFarOff: boolean } {
  let isFarOff = false;
  const lines = targets.map(({ name, ratioMax, farOff }) => {
    const { ratio } = rows.find((row) => row.name === name)!;
    isFarOff ||= !(ratio <= farOff);
    return `  ${ratio <= ratioMax ? "PASS" : "FAIL"}  ${name} <= ${ratioMax.toFixed(2)}: ${ratio.toFixed(2)}`;
  });
  return { lines, isFarOff };
}

function pick(
  samples: readonly SessionSample[],
  kind: SessionKind,
  page: Page,
  load: LoadKind,
): SessionSample[] {
  return samples.filter((sample) => sample.kind === kind && sample.page === page && sample.load === load);
}

function groupsOf(samples: readonly SessionSample[]): (readonly [Page, LoadKind])[] {
  const groups = new Map(
    samples.map(({ page, load }) => [`${page}/${load}`, [page, load] as const] as const),
  );
  return [...groups.values()];
}

function line(...cells: readonly string[]): string {
  return `  ${cells.map((cell, index) => (index < 3 ? cell.padEnd(11) : cell.padStart(11))).join("")}`;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
