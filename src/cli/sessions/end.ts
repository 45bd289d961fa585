/** `flotilla sessions end`: ends sessions for good: some, those of one user, or all of them after a break-in. */
import { createInterface } from "node:readline/promises";
import { refuseOtherSite } from "../../admin/other-site.ts";
import type { ClusterFile } from "../../config/model.ts";
import type { Where } from "../../session/admin/questions.ts";
import { slotOfKey } from "../../session/id.ts";
import { encode } from "../../session/value.ts";
import { FlotillaError } from "../../support/errors.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";
import { count } from "../../support/words.ts";
import { openFile } from "../cluster-file.ts";
import { complain, enumerate, say, sayJson } from "../terminal.ts";
import { AtOnce } from "./at-once.ts";
import { deliver } from "./deliver.ts";
import { sessionOfId, sessionOfKey } from "./given-id.ts";
import { clusterWithSessions, type Keeper, type Keepers, withKeepers } from "./keepers.ts";
import { Progress } from "./progress.ts";
import { damagedInWords, walk } from "./walk.ts";

export interface EndOptions {
  readonly ids: readonly string[];
  readonly keys: readonly string[];
  readonly all: boolean;
  /** "user=42"; null: all, or those that are named. */
  readonly where: string | null;
  readonly cluster: string | null;
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly json: boolean;
}

/** @returns the exit code: 0 when none of those that were meant is alive. */
export async function end(path: string, options: EndOptions): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  refuseOtherSite(file);
  const isByName = options.ids.length + options.keys.length > 0;
  const ending = isByName ? await endNamed(file, options) : await endMany(file, options);
  if (ending === null) return 1;
  const { ended, absent, left, troubles } = ending;
  if (options.dryRun) {
    if (options.json) sayJson({ found: ended, dryRun: true });
    else say(`Would end ${ending.words}.`);
    return 0;
  }
  const isDone = left === 0 && ending.silent.length === 0 && ending.damaged === 0;
  if (options.json)
    sayJson({ ended, absent, left, damaged: ending.damaged, silent: ending.silent, isComplete: isDone });
  else say(`${count(ended, "session")} ended${absent > 0 ? `, ${absent} had ended before` : ""}.`);
  if (left > 0)
    complain(
      `${count(left, "session")} may be alive: ${enumerate([...troubles]) || "no server serves them now"}. Run it again.`,
    );
  if (ending.damaged > 0)
    complain(
      `Not looked into: ${damagedInWords(ending.damaged)}. Nobody can use them as they are; --all ends them, too.`,
    );
  if (ending.silent.length > 0)
    complain(
      `Not asked, so theirs are alive if they are: ${enumerate(ending.silent)}. Run it again when they answer.`,
    );
  return isDone ? 0 : 1;
}

class Ending {
  readonly #keepers: Keepers;
  readonly #where: Where | null;
  readonly #underWay: AtOnce = new AtOnce(limits.questionsAtOnce);
  readonly troubles: Set<string> = new Set();
  /** Those that are meant, for a person. */
  words = "";
  /** Or, where nothing is to be done, would be. */
  ended = 0;
  absent = 0;
  left = 0;
  /** Of which nobody can say whether they were meant. */
  damaged = 0;

  constructor(keepers: Keepers, where: Where | null) {
    this.#keepers = keepers;
    this.#where = where;
  }

  get silent(): readonly string[] {
    return this.#keepers.silentAlone;
  }

  /** Begins to end them. @param keeper where they were found just now; null: it is not known where they are, if anywhere. */
  async keys(keys: readonly string[], keeper: Keeper | null): Promise<void> {
    for (let at = 0; at < keys.length; at += limits.keysMax) {
      const some = keys.slice(at, at + limits.keysMax);
      await this.#underWay.begin(() => this.#end(some, keeper));
    }
  }

  /** All have ended, or it is known that they have not. */
  async allEnded(): Promise<void> {
    await this.#underWay.end();
  }

  async #end(keys: readonly string[], keeper: Keeper | null): Promise<void> {
    const keepers = this.#keepers;
    const alone = keeper === null ? keepers.alone : keeper.kind === "alone" ? [keeper] : [];
    const outcomes = new Map<string, boolean | null>();
    const areThere = keeper !== null;
    for (const { server } of alone) await this.#deliver(keys, areThere, () => server, outcomes);
    if (keeper === null ? keepers.areShared : keeper.kind !== "alone")
      await this.#deliver(keys, areThere, (key) => keepers.ownerOf(slotOfKey(key))?.server ?? null, outcomes);
    for (const outcome of outcomes.values()) {
      if (outcome === null) this.left++;
      else if (outcome) this.ended++;
      else this.absent++;
    }
  }

  /** @param outcomes true: ended; false: it was not there; null: not known. */
  async #deliver(
    keys: readonly string[],
    areThere: boolean,
    serverOf: (key: string) => Keeper["server"] | null,
    outcomes: Map<string, boolean | null>,
  ): Promise<void> {
    const where = this.#where;
    const content = (items: readonly string[]): object => ({ keys: items, where, areThere });
    const delivered = await deliver(
      this.#keepers,
      { ask: "sessions-end", items: keys, serverOf, content },
      this.troubles,
    );
    for (const { item, outcome } of delivered) {
      const known = outcome === "ended" ? true : outcome === "absent" || outcome === "other" ? false : null;
      const before = outcomes.get(item);
      if (before !== true)
        outcomes.set(item, known === true || before === undefined ? known : before && known);
    }
  }
}

async function endNamed(file: ClusterFile, options: EndOptions): Promise<Ending | null> {
  const { ids, keys, cluster } = options;
  const given = [
    ...ids.map((id) => sessionOfId(file, id, cluster)),
    ...keys.map((key) => sessionOfKey(file, key, cluster)),
  ];
  const clusters = new Set(given.map((one) => one.cluster));
  if (clusters.size > 1)
    throw new FlotillaError(
      "FLOTILLA_SESSIONS_CLUSTER",
      `these are sessions of ${enumerate([...clusters].map(({ name }) => name))}: end those of one cluster at a time`,
      { source: "client" },
    );
  return await withKeepers(file, given[0]!.cluster, async (keepers) => {
    const ending = new Ending(keepers, null);
    const wanted = [...new Set(given.map(({ key }) => key))];
    if (options.dryRun) {
      ending.ended = wanted.length;
      ending.words = `${count(wanted.length, "session")}, if alive`;
    } else {
      await ending.keys(wanted, null);
      await ending.allEnded();
    }
    return ending;
  });
}

/** @returns null: the operator did not want it. */
async function endMany(file: ClusterFile, options: EndOptions): Promise<Ending | null> {
  const cluster = clusterWithSessions(file, options.cluster);
  const where = options.where === null ? null : whereOf(options.where);
  return await withKeepers(file, cluster, async (keepers) => {
    const ending = new Ending(keepers, where);
    if (options.dryRun || !options.yes) {
      const found = await counted(keepers, where);
      ending.words = `${count(found, "session")} of ${cluster.name}${where === null ? "" : `, those with ${options.where}`}`;
      if (options.dryRun) {
        ending.ended = found;
        return ending;
      }
      if (!(await isConfirmed(`End ${ending.words}? Their visitors are logged out. [y/N] `))) return null;
    }
    const progress = new Progress();
    try {
      for await (const { keeper, sessions, damaged } of walk(keepers, { where, isForKeys: true })) {
        ending.damaged += damaged;
        await ending.keys(sessions as string[], keeper);
        progress.tell(() => `${ending.ended} ended`);
      }
    } finally {
      await ending.allEnded();
      progress.end();
    }
    return ending;
  });
}

async function counted(keepers: Keepers, where: Where | null): Promise<number> {
  if (where === null && keepers.all.every(({ onDisk }) => onDisk === null)) {
    const common = await keepers.inDatabase();
    return keepers.about + (common?.sessions ?? 0);
  }
  let found = 0;
  for await (const { sessions } of walk(keepers, { where, isForKeys: true })) found += sessions.length;
  return found;
}

/** On a terminal; elsewhere nobody can say yes but with --yes. */
async function isConfirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    complain(
      `${question.replace(/\s*\[y\/N\] $/, "")} Nobody is there to say so: say it with --yes. Nothing was ended.`,
    );
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = (await terminal.question(question)).trim().toLowerCase();
    const isYes = answer === "y" || answer === "yes";
    if (!isYes) complain("Nothing was ended.");
    return isYes;
  } finally {
    terminal.close();
  }
}

/** @param text "user=42": a key, and JSON; what is no JSON is a string. @throws FlotillaError FLOTILLA_SESSIONS_WHERE */
export function whereOf(text: string): Where {
  const at = text.indexOf("=");
  if (at < 1)
    throw new FlotillaError(
      "FLOTILLA_SESSIONS_WHERE",
      `--where is a key and a value, as in user=42 or 'passport={"user":42}'`,
      { source: "client" },
    );
  const name = text.slice(0, at);
  return { name, text: encode(jsonOr(text.slice(at + 1)), name) };
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
