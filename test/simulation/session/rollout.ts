/** Changes of all servers, one after another: the cluster file, the release. Meanwhile some run with the old one, some with the new. */
import { ownVersions } from "../../../src/link/hello.ts";
import type { ServerPlace } from "../../../src/session/cluster/peer.ts";
import type { Harm } from "./harm.ts";
import { machinesOf, type Setup } from "./setup.ts";
import type { World } from "./world.ts";

export interface Rollout {
  readonly name: string;
  readonly from: Setup;
  readonly to: Setup;
  /** The server that comes or goes. */
  readonly concerned: string | null;
  /** No session is out of reach for longer than after a single fault (I10), when nothing else happens. */
  readonly isSmooth: boolean;
  begin(harm: Harm, rollout: Rollout): void;
}

interface Kind {
  readonly name: string;
  readonly weight: number;
  readonly isSmooth: boolean;
  readonly begin: Rollout["begin"];
  /** One server fewer before or after it. */
  readonly fewer?: "before" | "after";
  readonly versions?: Setup["versions"];
}

/** Own and one before (R38): the next release still speaks what this one does, the one after that does not. */
const { highest } = ownVersions;
const nextVersions = { lowest: highest, highest: highest + 1 };
const laterVersions = { lowest: highest + 1, highest: highest + 2 };

export const rolloutKinds: readonly Kind[] = [
  {
    name: "a server more, which starts first",
    weight: 2,
    isSmooth: true,
    fewer: "before",
    begin: (harm, { concerned }) => {
      harm.simulation.start(concerned!);
      harm.restartAll();
    },
  },
  {
    name: "a server more, which starts last",
    weight: 2,
    isSmooth: true,
    fewer: "before",
    begin: (harm, { concerned }) => harm.restartAll({ atEnd: () => harm.simulation.start(concerned!) }),
  },
  {
    name: "a server fewer, which was stopped before",
    weight: 2,
    isSmooth: true,
    fewer: "after",
    begin: (harm, { from, to, concerned }) => {
      const { simulation } = harm;
      // The file is changed when it has ended.
      simulation.setup = from;
      simulation.gone.add(concerned!);
      const app = simulation.apps.get(concerned!);
      const roll = (): void => {
        simulation.setup = to;
        harm.restartAll();
      };
      if (app === undefined) roll();
      else harm.restart(app, true, roll);
    },
  },
  {
    name: "a server fewer, which died",
    weight: 1,
    isSmooth: false,
    fewer: "after",
    begin: (harm, { concerned }) => {
      harm.simulation.gone.add(concerned!);
      harm.simulation.kill(concerned!, harm.world.chance(0.5));
      harm.restartAll();
    },
  },
  {
    name: "a server fewer, which is stopped last",
    weight: 1,
    isSmooth: false,
    fewer: "after",
    begin: (harm, { concerned }) => harm.restartAll({ last: concerned! }),
  },
  {
    name: "the next release",
    weight: 0.7,
    isSmooth: true,
    versions: nextVersions,
    begin: (harm) => harm.restartAll(),
  },
  {
    name: "a release that refuses this one",
    weight: 0.7,
    isSmooth: false,
    versions: laterVersions,
    begin: (harm) => harm.restartAll({ pauseMs: harm.world.pick([1_500, 1_500, 1_500, 50_000]) }),
  },
];

/** @returns null in half of the seeds, and where the site is too small for it. */
export function drawRollout(
  world: World,
  places: readonly ServerPlace[],
  hasWitness: boolean,
): Rollout | null {
  if (world.chance(0.5)) return null;
  const concerned = world.pick(places).server;
  const all: Setup = { servers: places, hasWitness, versions: ownVersions };
  const fewer = { ...all, servers: places.filter(({ server }) => server !== concerned) };
  // With fewer machines the voters promise less: the subject of other seeds.
  const canBeFewer = machinesOf(fewer).length >= (hasWitness ? 2 : 3);
  if (!canBeFewer && world.chance(0.7)) return null;
  const { name, isSmooth, begin, ...kind } = world.pickByWeight(
    rolloutKinds.filter((possible) => canBeFewer || possible.fewer === undefined),
  );
  if (kind.versions !== undefined)
    return { name, isSmooth, begin, concerned: null, from: all, to: { ...all, versions: kind.versions } };
  const [from, to] = kind.fewer === "before" ? [fewer, all] : [all, fewer];
  return { name, isSmooth, begin, concerned, from, to };
}
