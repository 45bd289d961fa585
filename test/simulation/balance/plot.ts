/** The table of p99 as a picture: one row per scenario, one mark per policy, on a logarithmic scale. SVG, legible in light and dark. */
import type { PolicyName } from "../../harness/candidates.ts";

export interface PlotRow {
  readonly title: string;
  readonly p99Ms: ReadonlyMap<PolicyName, number>;
}

const width = 900;
const left = 262;
const right = 24;
const top = 92;
const rowHeight = 30;
const fromMs = 50;
const ticksMs = [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000];

/** Colours that people who see few of them can tell apart (Okabe and Ito); shapes, for those who see none. */
const marks: Record<PolicyName, { readonly colour: string; readonly shape: string }> = {
  "round-robin": { colour: "#d55e00", shape: "M-5-5L5 5M-5 5L5-5" },
  "least-connections": { colour: "#0072b2", shape: "M-4.5-4.5H4.5V4.5H-4.5Z" },
  "random-of-two": { colour: "#cc79a7", shape: "M0-6L5.5 4.5H-5.5Z" },
  "least-load": { colour: "#009e73", shape: "M-5.5 0A5.5 5.5 0 1 0 5.5 0A5.5 5.5 0 1 0-5.5 0Z" },
  latency: { colour: "#e69f00", shape: "M0-6.5L6.5 0L0 6.5L-6.5 0Z" },
  "consistent-hash": { colour: "#7f7f7f", shape: "M0-6V6M-6 0H6" },
};

export function plot(rows: readonly PlotRow[]): string {
  const names = Object.keys(marks) as PolicyName[];
  const bottom = top + rows.length * rowHeight;
  const most = Math.max(...rows.flatMap(({ p99Ms }) => [...p99Ms.values()]));
  const toMs = ticksMs.find((tick) => tick >= most) ?? most;
  const x = (ms: number): number =>
    left + ((width - left - right) * Math.log(ms / fromMs)) / Math.log(toMs / fromMs);
  const legend = names.map((name, at) => {
    const place = `translate(${32 + 146 * at} 56)`;
    return `<g transform="${place}">${mark(name)}<text x="12" y="4">${name}</text></g>`;
  });
  const scale = ticksMs
    .filter((tick) => tick <= toMs)
    .map((tick) => {
      const at = x(tick).toFixed(1);
      const text = tick < 1_000 ? `${tick} ms` : `${tick / 1_000} s`;
      return `<path class="grid" d="M${at} ${top - 8}V${bottom}"/><text class="tick" x="${at}" y="${bottom + 18}">${text}</text>`;
    });
  const lines = rows.map(({ title, p99Ms }, at) => {
    const y = top + at * rowHeight + rowHeight / 2;
    const points = names
      .filter((name) => p99Ms.has(name))
      .map((name) => `<g transform="translate(${x(p99Ms.get(name)!).toFixed(1)} ${y})">${mark(name)}</g>`);
    return `<text class="row" x="${left - 16}" y="${y + 4}">${title}</text><path class="grid" d="M${left} ${y}H${width - right}"/>${points.join("")}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${bottom + 36}" role="img" aria-label="Time in which 99% of requests are answered, by scenario and policy">
<style>
  text { font: 13px system-ui, sans-serif; fill: #222 }
  .head { font-weight: 600; font-size: 15px }
  .row { text-anchor: end }
  .tick { text-anchor: middle; font-size: 12px }
  .ground { fill: #fff }
  .grid { stroke: #ddd; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6e6e6 }
    .ground { fill: #16181d }
    .grid { stroke: #3a3d45 }
  }
</style>
<rect class="ground" width="100%" height="100%" rx="8"/>
<text class="head" x="24" y="30">Time in which 99% of requests are answered (logarithmic; left is better)</text>
${[...legend, ...scale, ...lines].join("\n")}
</svg>
`;
}

function mark(name: PolicyName): string {
  const { colour, shape } = marks[name];
  const isLine = !shape.endsWith("Z");
  const paint = isLine ? `fill="none" stroke="${colour}" stroke-width="2.6"` : `fill="${colour}"`;
  return `<path d="${shape}" ${paint}/>`;
}
