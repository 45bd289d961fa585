/** From measured rounds to rows, a table, and what the product promises of them. */
import type { AppKind, ContenderName } from "./contenders.ts";

export type LoadKind = "saturation" | "tenth";

/** One contender in one round. */
export interface Sample {
  readonly load: LoadKind;
  readonly app: AppKind;
  readonly contender: ContenderName;
  readonly requests: number;
  readonly proxyUs: number;
  readonly appUs: number;
  readonly perSecond: number;
  readonly p99Ms: number | null;
}

/** A row of `--json FILE`. `ratio` is ours / theirs: below 1 is cheaper. */
export interface Row {
  readonly name: string;
  readonly peer: ContenderName;
  readonly unit: "CPU us/request";
  readonly ours: number;
  readonly theirs: number;
  readonly ratio: number;
}

const parts = {
  proxy: (sample: Sample) => sample.proxyUs,
  app: (sample: Sample) => sample.appUs,
  "proxy+app": (sample: Sample) => sample.proxyUs + sample.appUs,
} as const;

/** What must hold; the tenth is published whatever it is. */
const targets: readonly { name: string; peer: ContenderName; ratioMax: number }[] = [
  { name: "saturation/express/proxy+app", peer: "nginx", ratioMax: 0.7 },
  { name: "saturation/express/proxy+app", peer: "haproxy", ratioMax: 0.7 },
  { name: "saturation/plain/proxy", peer: "haproxy", ratioMax: 0.85 },
];

export function rowsOf(samples: readonly Sample[]): Row[] {
  const rows: Row[] = [];
  for (const [load, app] of groupsOf(samples)) {
    const of = (contender: ContenderName): Sample[] =>
      samples.filter(
        (sample) => sample.load === load && sample.app === app && sample.contender === contender,
      );
    for (const [part, value] of Object.entries(parts)) {
      for (const peer of ["nginx", "haproxy"] as const) {
        const ours = median(of("flotilla").map(value));
        const theirs = median(of(peer).map(value));
        if (Number.isNaN(ours) || Number.isNaN(theirs)) continue;
        const name = `${load}/${app}/${part}`;
        rows.push({
          name,
          peer,
          unit: "CPU us/request",
          ours: tenths(ours),
          theirs: tenths(theirs),
          ratio: hundredths(ours / theirs),
        });
      }
    }
  }
  return rows;
}

/** Every contender's medians, one line each. */
export function table(samples: readonly Sample[]): string {
  const lines = [line("load", "app", "contender", "proxy us", "app us", "sum us", "requests/s", "p99 ms")];
  for (const [load, app] of groupsOf(samples)) {
    for (const contender of ["nginx", "haproxy", "flotilla"] as const) {
      const own = samples.filter(
        (sample) => sample.load === load && sample.app === app && sample.contender === contender,
      );
      if (own.length === 0) continue;
      const p99 = own.flatMap((sample) => sample.p99Ms ?? []);
      lines.push(
        line(
          load,
          app,
          contender,
          median(own.map(parts.proxy)).toFixed(1),
          median(own.map(parts.app)).toFixed(1),
          median(own.map(parts["proxy+app"])).toFixed(1),
          median(own.map((sample) => sample.perSecond)).toFixed(0),
          p99.length === 0 ? "" : median(p99).toFixed(1),
        ),
      );
    }
    lines.push("");
  }
  return lines.join("\n");
}

export function ratioTable(rows: readonly Row[]): string {
  const lines = rows.map(
    (row) =>
      `  ${row.name.padEnd(30)} ${`/ ${row.peer}`.padEnd(10)} ${row.ours.toFixed(1).padStart(7)} ${row.theirs.toFixed(1).padStart(7)}  ratio ${row.ratio.toFixed(2)}`,
  );
  return ["  CPU us/request, ours and theirs; a ratio below 1 is cheaper", ...lines].join("\n");
}

export function verdicts(rows: readonly Row[]): string[] {
  return targets.map(({ name, peer, ratioMax }) => {
    const row = rows.find((candidate) => candidate.name === name && candidate.peer === peer);
    const promise = `${name} / ${peer} <= ${ratioMax.toFixed(2)}`;
    if (row === undefined) return `  left out  ${promise}: not measured`;
    return `  ${row.ratio <= ratioMax ? "PASS" : "FAIL"}  ${promise}: ${row.ratio.toFixed(2)}`;
  });
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function groupsOf(samples: readonly Sample[]): (readonly [LoadKind, AppKind])[] {
  const groups = new Map(
    samples.map((sample) => [`${sample.load}/${sample.app}`, [sample.load, sample.app] as const]),
  );
  return [...groups.values()];
}

function line(...cells: readonly string[]): string {
  return `  ${cells.map((cell, index) => (index < 3 ? cell.padEnd(11) : cell.padStart(11))).join("")}`;
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
