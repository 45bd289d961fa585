/** What the policies are tried on. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly apps: number;
  /** Processes of web servers; each knows only of its own requests, and what is reported. */
  readonly webs: number;
  /** Of the CPU time of all app servers. */
  readonly utilization: number;
  readonly durationMs: number;
  /** Each counts as often. */
  readonly seeds: number;
  /** Of app server `at`. */
  readonly speed: (at: number) => number;
  /** Requests that come at once to one web server, on average. */
  readonly clump: number;
  /** Times on the CPU are lognormal, else exponential. */
  readonly heavyTail: boolean;
  /** Age of load reports; null: none, as of plain servers. */
  readonly reportAgeMs: number | null;
  /** From 40% to 70% of the time a neighbour leaves this part of the CPU to every tenth server; null: there is none. */
  readonly neighbourLeaves: number | null;
  /** At 30% of the time a cold server joins, with or without slow start. */
  readonly cold: "no" | "slow-start" | "at once";
}

const ten = {
  apps: 10,
  webs: 4,
  utilization: 0.65,
  durationMs: 20_000,
  seeds: 5,
  speed: () => 1,
  clump: 1,
  heavyTail: false,
  reportAgeMs: 100,
  neighbourLeaves: null,
  cold: "no",
} as const;

/** Every second one runs at half speed, every tenth at a fifth. */
const unequal = (at: number): number => (at % 10 === 2 ? 0.2 : at % 2 === 1 ? 0.5 : 1);

function everything(apps: number, webs: number, durationMs: number, seeds: number): Scenario {
  return {
    ...ten,
    name: `all-${apps}`,
    title: `all at once, ${apps.toLocaleString("en")} servers`,
    apps,
    webs,
    utilization: 0.5,
    durationMs,
    seeds,
    speed: unequal,
    clump: 3 + apps / 10,
    heavyTail: true,
    neighbourLeaves: 0.5,
  };
}

export const scenarios: readonly Scenario[] = [
  { ...ten, name: "equal", title: "equal servers" },
  { ...ten, name: "bursts", title: "bursts of 20", clump: 20 },
  { ...ten, name: "heavy-tail", title: "a few very long requests", heavyTail: true },
  { ...ten, name: "unequal", title: "unequal speeds", speed: unequal },
  { ...ten, name: "unequal-plain", title: "unequal speeds, no reports", speed: unequal, reportAgeMs: null },
  { ...ten, name: "unequal-webs", title: "unequal speeds, 32 web processes", speed: unequal, webs: 32 },
  { ...ten, name: "neighbour", title: "a busy neighbour", neighbourLeaves: 0.25 },
  {
    ...ten,
    name: "neighbour-plain",
    title: "a busy neighbour, no reports",
    neighbourLeaves: 0.25,
    reportAgeMs: null,
  },
  {
    ...ten,
    name: "light",
    title: "a busy neighbour, light traffic",
    neighbourLeaves: 0.25,
    utilization: 0.1,
  },
  { ...ten, name: "cold", title: "a cold server, slow start", cold: "slow-start" },
  { ...ten, name: "cold-at-once", title: "a cold server, no slow start", cold: "at once" },
  everything(3, 2, 60_000, 5),
  everything(10, 4, 30_000, 5),
  everything(100, 8, 10_000, 3),
  everything(1_000, 16, 4_000, 1),
];
