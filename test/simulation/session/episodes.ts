/** The episodes of a seed, each with its weight: single kinds of harm, and harm at chosen moments. */
import type { SessionNode } from "../../../src/session/cluster/node.ts";
import type { Harm } from "./harm.ts";
import type { App } from "./simulation.ts";
import type { World } from "./world.ts";

export interface Episode {
  readonly name: string;
  /** How often it is chosen. */
  readonly weight: number;
  /** Whether I10 is measured: it takes effect at once, and leaves the others able to go on. */
  readonly isSingleFault: boolean;
  /** A server is stopped in order as well. */
  readonly restarts?: boolean;
  /** Only where the register is the real one. */
  readonly needsVoters?: boolean;
  /** Servers do not hear each other, or the voters, for longer than one of two voters waits for the other. */
  readonly cuts?: boolean;
  /** Machines end while another one is harmed: more than two voters stand. */
  readonly isManifold?: boolean;
  begin(harm: Harm): void;
}

interface Moment {
  readonly name: string;
  /** What brings it about. */
  readonly primers: readonly Strike[];
  isNow(node: SessionNode): boolean;
}

interface Strike {
  readonly cuts: boolean;
  begin(harm: Harm, app: App): void;
}

const hit = (begin: Strike["begin"]): Strike => ({ cuts: false, begin });
const cut = (begin: Strike["begin"]): Strike => ({ cuts: true, begin });

const restarts: readonly Strike[] = [
  hit((harm, app) => harm.crash(app, false, 300)),
  hit((harm, app) => harm.restart(app, false)),
  hit((harm, app) => harm.standAside(app)),
];
const silences: readonly Strike[] = [
  hit((harm, app) => harm.pause(app)),
  cut((harm, app) => harm.isolate(app, true, true, 3_000)),
  hit((harm, app) => harm.crash(app, true)),
];

const awkwardMoments: readonly Moment[] = [
  {
    name: "gives a copy",
    primers: [...restarts, ...silences],
    isNow: (node) => node.context.slots.some(({ joining }) => joining !== null && !joining.isNeeded),
  },
  {
    name: "alone gives a copy",
    primers: [...restarts, ...silences],
    isNow: (node) => node.context.slots.some(({ joining, backup }) => joining !== null && backup === null),
  },
  {
    name: "has a backup named",
    primers: [...restarts, ...silences],
    isNow: (node) => node.context.slots.some(({ joining }) => joining?.isNamed),
  },
  {
    name: "drops its backup",
    primers: silences,
    isNow: (node) => node.context.slots.some(({ removesBackup }) => removesBackup),
  },
  {
    name: "hands over",
    primers: restarts,
    isNow: (node) => node.context.slots.some(({ isStopping }) => isStopping),
  },
  {
    name: "waits for commits",
    primers: [],
    isNow: (node) => node.context.slots.some(({ pending }) => pending.length > 1),
  },
  {
    name: "takes over",
    primers: silences,
    isNow: (node) => [...node.context.peers.values()].some(({ isBeingReplaced }) => isBeingReplaced),
  },
];

const strikes: readonly Strike[] = [
  hit((harm, app) => harm.standAside(app)),
  hit((harm, app) => harm.crash(app, false)),
  hit((harm, app) => harm.crash(app, true)),
  hit((harm, app) => harm.pause(app)),
  cut((harm, app) => harm.isolate(app, true, true, 8_000)),
  cut((harm, app) => harm.isolate(app, false, true, 8_000)),
  cut((harm, app) => {
    const other = harm.anyOther(app);
    if (other !== null) harm.cut(app, other, true);
  }),
];

/** Waits for a moment at which much is under way, and then does something to one of those concerned. */
function atAwkwardTime(harm: Harm): void {
  const { apps } = harm.simulation;
  const world = harm.world;
  const when = world.pick(awkwardMoments);
  const { network } = harm.simulation;
  if (world.chance(0.7)) network.slownessMs = 100;
  const among = (all: readonly Strike[]): Strike[] => all.filter(({ cuts }) => harm.mayCut || !cuts);
  const primed = when.primers.length === 0 ? null : harm.anyApp();
  if (primed !== null) world.pick(among(when.primers)).begin(harm, primed);
  const giveUp = harm.healAfter(8_000, () => {
    network.slownessMs = 0;
  });
  const look = (): void => {
    if (!harm.isDue(giveUp)) return;
    const app = [...apps.values()].find(({ node, process }) => !process.isPaused && when.isNow(node));
    if (app === undefined) {
      world.after(1, null, look);
      return;
    }
    let victim = world.chance(0.6) ? app : (harm.anyOther(app) ?? app);
    if (harm.simulation.pair !== null && primed !== null) {
      // The other of two would be a second fault: it alone has what was decided meanwhile.
      const again = apps.get(primed.process.server);
      if (again === undefined || again.process.isPaused) return void world.after(1, null, look);
      victim = again;
    }
    giveUp();
    harm.tell(`while ${app.process.name} ${when.name}:`);
    world.pick(among(strikes)).begin(harm, victim);
  };
  look();
}

/** Waits for a server that has just asked an owner for a change, and holds up what it says. */
function stallChange(harm: Harm): void {
  const world = harm.world;
  const giveUp = harm.healAfter(5_000, () => {});
  const look = (): void => {
    if (!harm.isDue(giveUp)) return;
    const asking = [...harm.simulation.apps.values()].filter(
      ({ node, process }) => !process.isPaused && node.remote.changesUnderWay > 0,
    );
    if (asking.length === 0) return void world.after(0.5, null, look);
    giveUp();
    harm.stall(world.pick(asking));
  };
  look();
}

export function pickEpisode(world: World, hasVoters: boolean, mayCut: boolean, hasDisks: boolean): Episode {
  return world.pickByWeight(
    (hasDisks ? [...episodes, ...diskEpisodes] : episodes).filter(
      ({ needsVoters, cuts, isManifold }) =>
        (hasVoters || needsVoters !== true) && (mayCut || (cuts !== true && isManifold !== true)),
    ),
  );
}

function withApp(run: (harm: Harm, app: App) => void): (harm: Harm) => void {
  return (harm) => {
    const app = harm.anyApp();
    if (app !== null) run(harm, app);
  };
}

function withPair(run: (harm: Harm, app: App, other: App) => void): (harm: Harm) => void {
  return withApp((harm, app) => {
    const other = harm.anyOther(app);
    if (other !== null) run(harm, app, other);
  });
}

export const episodes: readonly Episode[] = [
  {
    name: "crash",
    weight: 5,
    isSingleFault: true,
    begin: withApp((harm, app) => harm.crash(app, false)),
  },
  { name: "power", weight: 3, isSingleFault: true, begin: withApp((harm, app) => harm.crash(app, true)) },
  {
    name: "machine",
    weight: 1,
    isSingleFault: false,
    begin: withApp((harm, app) => harm.crashMachine(app)),
  },
  { name: "pause", weight: 5, isSingleFault: true, begin: withApp((harm, app) => harm.pause(app)) },
  {
    name: "cut",
    weight: 4,
    cuts: true,
    isSingleFault: true,
    begin: withPair((harm, app, other) => harm.cut(app, other, false)),
  },
  {
    name: "one way",
    weight: 3,
    cuts: true,
    isSingleFault: true,
    begin: withPair((harm, app, other) => harm.cut(app, other, true)),
  },
  {
    name: "alone",
    weight: 4,
    cuts: true,
    isSingleFault: true,
    begin: withApp((harm, app) => harm.isolate(app, true, true, 8_000)),
  },
  {
    name: "long alone",
    weight: 0.3,
    cuts: true,
    isSingleFault: true,
    begin: withApp((harm, app) => harm.isolate(app, true, true, 60_000)),
  },
  {
    name: "two alone",
    weight: 0.8,
    cuts: true,
    isSingleFault: false,
    begin: (harm) => harm.isolatePair(),
  },
  {
    name: "no register",
    weight: 2,
    cuts: true,
    isSingleFault: true,
    begin: withApp((harm, app) => harm.isolate(app, false, true, 8_000)),
  },
  {
    name: "reset",
    weight: 2,
    isSingleFault: true,
    begin: withPair((harm, app, other) => harm.reset(app, other)),
  },
  { name: "foreign", weight: 1, isSingleFault: false, begin: (harm) => harm.foreign() },
  { name: "slow", weight: 1, isSingleFault: false, begin: (harm) => harm.slow() },
  { name: "register", weight: 2, cuts: true, isSingleFault: false, begin: (harm) => harm.losesAnswers() },
  {
    name: "restart",
    weight: 2,
    isSingleFault: true,
    begin: withApp((harm, app) => harm.restart(app, true)),
  },
  {
    name: "stands aside",
    weight: 2,
    isSingleFault: true,
    begin: withApp((harm, app) => harm.standAside(app)),
  },
  {
    name: "left to one without register",
    weight: 1.5,
    cuts: true,
    isSingleFault: true,
    restarts: true,
    begin: withPair((harm, app, other) => {
      harm.restart(app, false);
      harm.isolate(other, false, true, 8_000);
    }),
  },
  {
    name: "stall",
    weight: 6,
    cuts: true,
    isSingleFault: false,
    begin: (harm) => stallChange(harm),
  },
  { name: "web pause", weight: 1, isSingleFault: true, begin: (harm) => harm.webPause() },
  {
    name: "web cut",
    weight: 3,
    isSingleFault: true,
    begin: withApp((harm, app) => harm.webCut(app)),
  },
  { name: "web alone", weight: 0.5, isSingleFault: true, begin: (harm) => harm.webCut(null) },
  {
    name: "disk",
    weight: 2,
    isSingleFault: true,
    needsVoters: true,
    begin: (harm) => harm.disk(),
  },
  {
    name: "voter's file",
    weight: 2,
    isSingleFault: true,
    needsVoters: true,
    begin: (harm) => harm.loseVote(),
  },
  {
    name: "crash in a vote",
    weight: 3,
    isSingleFault: false,
    needsVoters: true,
    begin: (harm) => harm.crashInVote(),
  },
  {
    name: "pause in a vote",
    weight: 2,
    isSingleFault: false,
    needsVoters: true,
    begin: (harm) => harm.pauseInVote(),
  },
  {
    name: "witness",
    weight: 1,
    isSingleFault: true,
    needsVoters: true,
    begin: (harm) => harm.witness(false),
  },
  {
    name: "voters",
    weight: 2,
    isSingleFault: true,
    needsVoters: true,
    begin: (harm) => harm.changeVoters(),
  },
  { name: "awkward", weight: 8, isSingleFault: false, begin: (harm) => atAwkwardTime(harm) },
  { name: "rolling", weight: 0.5, isSingleFault: false, begin: (harm) => harm.restartAll() },
  { name: "broken copies", weight: 2, isSingleFault: false, begin: (harm) => harm.breakCopies() },
  { name: "stop all", weight: 2, isSingleFault: false, begin: (harm) => harm.stopAll() },
];

/** Where servers have disks. */
export const diskEpisodes: readonly Episode[] = [
  {
    name: "server's disk",
    weight: 14,
    isSingleFault: true,
    begin: withApp((harm, app) => harm.serverDisk(app)),
  },
  {
    name: "two servers' disks",
    weight: 3,
    isSingleFault: false,
    begin: withPair((harm, app, other) => {
      harm.serverDisk(app);
      harm.serverDisk(other);
    }),
  },
  { name: "lost disk", weight: 4, isSingleFault: true, begin: withApp((harm, app) => harm.loseDisk(app)) },
  {
    name: "damaged disk",
    weight: 6,
    isSingleFault: true,
    begin: withApp((harm, app) => harm.damageDisk(app)),
  },
  {
    name: "crash of all",
    weight: 14,
    isSingleFault: false,
    isManifold: true,
    begin: (harm) => harm.crashAll(),
  },
  {
    name: "stopped in turn",
    weight: 5,
    isSingleFault: false,
    isManifold: true,
    begin: (harm) => harm.stopInTurn(),
  },
  {
    name: "crash with a full disk",
    weight: 5,
    isSingleFault: false,
    isManifold: true,
    begin: withPair((harm, app, other) => {
      harm.serverDisk(app);
      harm.world.after(harm.world.between(0, 3_000), null, () => {
        if (harm.isOver || !other.process.isAlive) return;
        harm.isDown = true;
        harm.crash(other, true);
      });
    }),
  },
  {
    name: "two crashes with slow disks",
    weight: 8,
    isSingleFault: false,
    isManifold: true,
    begin: withPair((harm, app, other) => {
      const world = harm.world;
      // Too short for a disk that counts as one that can't be written; or of one alone, and long.
      const areBoth = world.chance(0.6);
      const slownessMs = areBoth ? world.between(200, 900) : world.between(20, 4_000);
      harm.serverDisk(app, slownessMs);
      if (areBoth) harm.serverDisk(other, slownessMs);
      world.after(world.between(200, 2_500), null, () => {
        if (harm.isOver || !other.process.isAlive) return;
        harm.isDown = true;
        harm.crash(other, false, world.between(50, areBoth ? 200 : 1_500));
        world.after(areBoth ? world.between(100, 900) : world.between(50, 2_500), null, () => {
          if (!harm.isOver) harm.crashAll();
        });
      });
    }),
  },
  {
    name: "crash of all with a full disk",
    weight: 6,
    isSingleFault: false,
    isManifold: true,
    begin: withApp((harm, app) => {
      harm.serverDisk(app);
      harm.world.after(harm.world.between(0, 3_000), null, () => {
        if (!harm.isOver) harm.crashAll();
      });
    }),
  },
];
