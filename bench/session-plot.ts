/**
 * What a session costs, by how many there are, as a picture: `node bench/session-plot.ts MEMORY.json DISK.json DATABASE.json FILE.svg`, from what
 * `session-memory.ts`, the same with `--disk`, and `session-disk.ts` wrote with `--json`. SVG, legible in light and dark.
 */
import { readFileSync, writeFileSync } from "node:fs";

interface ServersRow {
  readonly sessions: number;
  readonly readUs: number;
  readonly writeUs: number;
  readonly ownerKibibytes: number;
  readonly backupKibibytes: number;
}

interface DatabaseRow {
  readonly sessions: number;
  readonly rssMegabytes: number;
  readonly readCpuUs: number;
  readonly writes: readonly { readonly atOnce: number; readonly cpuUs: number }[];
}

interface Line {
  readonly name: string;
  readonly mark: Mark;
  readonly points: readonly (readonly [sessions: number, value: number])[];
}

interface Panel {
  readonly title: string;
  readonly ticks: readonly number[];
  readonly lines: readonly Line[];
}

interface Mark {
  readonly colour: string;
  readonly shape: string;
}

/** Colours that people who see few of them can tell apart (Okabe and Ito); shapes, for those who see none. */
const marks = {
  circle: { colour: "#009e73", shape: "M-4.5 0A4.5 4.5 0 1 0 4.5 0A4.5 4.5 0 1 0-4.5 0Z" },
  square: { colour: "#0072b2", shape: "M-4-4H4V4H-4Z" },
  triangle: { colour: "#cc79a7", shape: "M0-5L5 4H-5Z" },
  diamond: { colour: "#e69f00", shape: "M0-5.5L5.5 0L0 5.5L-5.5 0Z" },
  star: { colour: "#d55e00", shape: "M-4-4L4 4L0 0L4-4L-4 4Z" },
  cross: { colour: "#7f7f7f", shape: "M-1.5-5H1.5V-1.5H5V1.5H1.5V5H-1.5V1.5H-5V-1.5H-1.5Z" },
} satisfies Record<string, Mark>;

const width = 900;
const panelWidth = 400;
const top = 60;
const bottom = 330;
const sessionTicks = [1e3, 1e4, 1e5, 1e6, 1e7];

const [memoryFile, diskFile, databaseFile, target] = process.argv.slice(2);
if (target === undefined)
  throw new Error("four files are needed: MEMORY.json DISK.json DATABASE.json FILE.svg");
const memory = read<ServersRow>(memoryFile!);
const disk = read<ServersRow>(diskFile!);
const database = read<DatabaseRow>(databaseFile!);
writeFileSync(target, picture());

function read<Row>(path: string): Row[] {
  return JSON.parse(readFileSync(path, "utf8")) as Row[];
}

function pointsOf<Row extends { readonly sessions: number }>(
  rows: readonly Row[],
  value: (row: Row) => number,
): Line["points"] {
  return rows.map((row) => [row.sessions, value(row)]);
}

function picture(): string {
  const writes = (atOnce: number) => (row: DatabaseRow) =>
    row.writes.find((one) => one.atOnce === atOnce)!.cpuUs;
  const cost: Panel = {
    title: "Processor time, microseconds",
    ticks: [10, 20, 50, 100, 200, 500, 1_000],
    lines: [
      { name: "read, memory, 2 servers", mark: marks.circle, points: pointsOf(memory, (row) => row.readUs) },
      {
        name: "write, memory, 2 servers",
        mark: marks.square,
        points: pointsOf(memory, (row) => row.writeUs),
      },
      { name: "read, disk, 2 servers", mark: marks.triangle, points: pointsOf(disk, (row) => row.readUs) },
      { name: "write, disk, 2 servers", mark: marks.diamond, points: pointsOf(disk, (row) => row.writeUs) },
      {
        name: "read, one database, 64 at once",
        mark: marks.cross,
        points: pointsOf(database, (row) => row.readCpuUs),
      },
      { name: "write, one database, 64 at once", mark: marks.star, points: pointsOf(database, writes(64)) },
    ],
  };
  const rss = (row: ServersRow): number => (row.ownerKibibytes * row.sessions * 1_024) / 1e6;
  const size: Panel = {
    title: "Memory of a process (RSS), MB",
    ticks: [100, 200, 500, 1_000, 2_000],
    lines: [
      { name: "memory, owner", mark: marks.square, points: pointsOf(memory, rss) },
      { name: "disk, owner", mark: marks.diamond, points: pointsOf(disk, rss) },
      { name: "one database", mark: marks.star, points: pointsOf(database, (row) => row.rssMegabytes) },
    ],
  };
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} 490" role="img" aria-label="What a session of 1 KiB costs in processor time and memory, by how many there are">
<style>
  text { font: 13px system-ui, sans-serif; fill: #222 }
  .head { font-weight: 600; font-size: 15px }
  .value { text-anchor: end; font-size: 12px }
  .count { text-anchor: middle; font-size: 12px }
  .ground { fill: #fff }
  .grid { stroke: #ddd; fill: none }
  .line { fill: none; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6e6e6 }
    .ground { fill: #16181d }
    .grid { stroke: #3a3d45 }
  }
</style>
<rect class="ground" width="100%" height="100%" rx="8"/>
${drawn(cost, 30)}
${drawn(size, 30 + panelWidth + 40)}
</svg>
`;
}

function drawn({ title, ticks, lines }: Panel, left: number): string {
  const from = left + 40;
  const x = (sessions: number): string =>
    (from + ((panelWidth - 50) * Math.log10(sessions / 1e3)) / Math.log10(1e7 / 1e3)).toFixed(1);
  const y = (value: number): string =>
    (bottom - ((bottom - top) * Math.log(value / ticks[0]!)) / Math.log(ticks.at(-1)! / ticks[0]!)).toFixed(
      1,
    );
  const grid = ticks.map(
    (tick) =>
      `<path class="grid" d="M${from} ${y(tick)}H${left + panelWidth - 10}"/>` +
      `<text class="value" x="${from - 8}" y="${Number(y(tick)) + 4}">${tick.toLocaleString("en")}</text>`,
  );
  const counts = sessionTicks.map(
    (count) =>
      `<text class="count" x="${x(count)}" y="${bottom + 20}">${count >= 1e6 ? `${count / 1e6} M` : count.toLocaleString("en")}</text>`,
  );
  const curves = lines.map(({ name, mark: { colour, shape }, points }, at) => {
    const path = points.map(([count, value], i) => `${i === 0 ? "M" : "L"}${x(count)} ${y(value)}`).join("");
    const dots = points.map(
      ([count, value]) =>
        `<path transform="translate(${x(count)} ${y(value)})" fill="${colour}" d="${shape}"/>`,
    );
    const legend = `<g transform="translate(${from + 6} ${bottom + 48 + at * 20})"><path fill="${colour}" d="${shape}"/><text x="14" y="4">${name}</text></g>`;
    return `<path class="line" stroke="${colour}" d="${path}"/>${dots.join("")}${legend}`;
  });
  return [
    `<text class="head" x="${left}" y="34">${title}, by sessions</text>`,
    ...grid,
    ...counts,
    ...curves,
  ].join("\n");
}
