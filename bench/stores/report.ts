/** From measured rounds to a table and rows. */
import { median } from "../report.ts";
import type { Page } from "../sessions/visitors.ts";

/** One site in one round. */
export interface StoreSample {
  readonly keeper: string;
  readonly page: Page;
  readonly round: number;
  /** CPU time per request, of the app processes and of the database. */
  readonly appUs: number;
  readonly databaseUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Medians of the rounds. */
export interface StoreRow {
  readonly keeper: string;
  readonly page: Page;
  readonly appUs: number;
  readonly databaseUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Against whom it is measured on the same database; null: nobody. */
  readonly beside: string | null;
  /** Of `appUs`: the median of the rounds' own ratios, the least and the most. Below 1 is better. */
  readonly ratio: number | null;
  readonly ratioMin: number | null;
  readonly ratioMax: number | null;
}

const others: readonly (readonly [RegExp, string])[] = [
  [/^redis,/, "connect-redis"],
  [/^postgres,/, "connect-pg-simple"],
];
const pages: readonly Page[] = ["read", "write"];

export function storeRows(samples: readonly StoreSample[]): StoreRow[] {
  const names = [...new Set(samples.map(({ keeper }) => keeper))];
  return pages.flatMap((page) => names.map((keeper) => rowOf(samples, keeper, page)));
}

function rowOf(samples: readonly StoreSample[], keeper: string, page: Page): StoreRow {
  const own = pick(samples, keeper, page);
  const beside = others.find(([pattern]) => pattern.test(keeper))?.[1] ?? null;
  const theirs = beside === null ? [] : pick(samples, beside, page);
  const ratios = own.flatMap(({ round, appUs }) => {
    const other = theirs.find((sample) => sample.round === round);
    return other === undefined ? [] : [appUs / other.appUs];
  });
  const middle = (of: (sample: StoreSample) => number): number => rounded(median(own.map(of)));
  const isAlone = ratios.length === 0;
  return {
    ...{ keeper, page, beside },
    ...{ appUs: middle(({ appUs }) => appUs), databaseUs: middle(({ databaseUs }) => databaseUs) },
    ...{ p50Ms: middle(({ p50Ms }) => p50Ms), p99Ms: middle(({ p99Ms }) => p99Ms) },
    ratio: isAlone ? null : rounded(median(ratios)),
    ratioMin: isAlone ? null : rounded(Math.min(...ratios)),
    ratioMax: isAlone ? null : rounded(Math.max(...ratios)),
  };
}

export function storeTable(rows: readonly StoreRow[]): string {
  const lines: string[] = [];
  for (const page of pages) {
    lines.push(line(page, "app us", "database us", "p50 ms", "p99 ms", "app beside theirs"));
    for (const row of rows.filter((each) => each.page === page)) {
      const figures = [
        row.appUs.toFixed(0),
        row.databaseUs.toFixed(0),
        row.p50Ms.toFixed(2),
        row.p99Ms.toFixed(2),
      ];
      lines.push(line(row.keeper, ...figures, besideText(row)));
    }
    lines.push("");
  }
  return lines.join("\n");
}

function besideText({ ratio, ratioMin, ratioMax }: StoreRow): string {
  if (ratio === null) return "";
  return `${ratio.toFixed(2)} (${ratioMin!.toFixed(2)} to ${ratioMax!.toFixed(2)})`;
}

function pick(samples: readonly StoreSample[], keeper: string, page: Page): StoreSample[] {
  return samples.filter((sample) => sample.keeper === keeper && sample.page === page);
}

function line(name: string, ...cells: readonly string[]): string {
  const widths = [10, 14, 10, 10, 24];
  return `  ${name.padEnd(24)}${cells.map((cell, index) => cell.padStart(widths[index]!)).join("")}`.trimEnd();
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
