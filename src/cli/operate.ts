/** `flotilla drain`, `ready`, `maint` and `weight`: what an operator wants of app servers, told to all web servers in front of them. */
import { Asker } from "../admin/ask.ts";
import { refuseOtherSite } from "../admin/other-site.ts";
import type { ClusterFile } from "../config/model.ts";
import { weightOf } from "../health/operator-words.ts";
import type { Order } from "../health/server-news.ts";
import { FlotillaError } from "../support/errors.ts";
import { config as configLimits } from "../support/limits.ts";
import { count, passed } from "../support/words.ts";
import { openFile, serversNamed } from "./cluster-file.ts";
import { type Answered, Operators, type Seen, together, type Untold, type Wish } from "./operators.ts";
import { complain, enumerate, say, sayJson } from "./terminal.ts";
import { type Busy, waitUntilFree } from "./wait-until-free.ts";

export interface OperateOptions {
  readonly json: boolean;
  /** Return when the last request is over, and its sessions are gone. */
  readonly wait?: boolean;
  readonly timeoutMs?: number | null;
}

/** @returns the exit code: 0 when it is in force everywhere, and with `wait` nothing is left. */
export async function order(
  path: string,
  names: readonly string[],
  wanted: Order,
  options: OperateOptions,
): Promise<number> {
  return await operate(path, names, { order: wanted }, options);
}

/** @param text "5", "50%"; null: only tell. */
export async function weight(
  path: string,
  names: readonly string[],
  text: string | null,
  options: OperateOptions,
): Promise<number> {
  if (text !== null && weightOf(text, 1) === null)
    throw new FlotillaError(
      "FLOTILLA_ORDER_REFUSED",
      `"${text}" is no weight: 0 to ${configLimits.weightMax}, or a share of the file's, as in 50%`,
      { source: "client" },
    );
  return await operate(path, names, text === null ? {} : { weight: text }, options);
}

async function operate(
  path: string,
  names: readonly string[],
  wish: Wish,
  options: OperateOptions,
): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  refuseOtherSite(file);
  const servers = serversNamed(file, names);
  const asker = new Asker(file);
  const operators = new Operators(file, servers, asker);
  const isQuestion = wish.order === undefined && wish.weight === undefined;
  const answered = isQuestion ? await operators.look() : await operators.say(wish);
  const seen = together(answered, servers);
  if (!options.json) tell(file, seen, wish, answered);
  const busy =
    options.wait === true
      ? await waitUntilFree({ file, servers, operators, asker }, options.timeoutMs ?? null, options.json)
      : null;
  if (options.json) sayJson({ servers: seen.map((one) => inOrder(file, one)), ...problems(answered, busy) });
  if (answered.untold.length > 0) throw untold(answered.untold, seen, isQuestion);
  if (busy !== null && busy.length > 0) throw stillBusy(busy, options.timeoutMs!);
  return 0;
}

function inOrder(
  file: ClusterFile,
  { name, order: wanted, orderedAtMs, weight: text, inFlight, states, at }: Seen,
): object {
  const ofFile = file.servers.get(name)!.weight;
  return {
    ...{ name, order: wanted, since: orderedAtMs === null ? null : new Date(orderedAtMs).toISOString() },
    ...{ weight: text === null ? ofFile : weightOf(text, ofFile), weightOfFile: ofFile },
    ...{ inFlight, states, at },
  };
}

function problems({ untold: list, answers }: Answered, busy: readonly Busy[] | null): object {
  const unsaved = [...answers].flatMap(([webServer, answer]) =>
    answer.unsaved === "" ? [] : [{ webServer, why: answer.unsaved }],
  );
  return { untold: list, unsaved, ...(busy === null ? {} : { busy }) };
}

function tell(file: ClusterFile, seen: readonly Seen[], wish: Wish, { answers }: Answered): void {
  for (const server of seen) {
    const { name, order: wanted, at } = server;
    const where = enumerate(at);
    const left = `: ${count(server.inFlight, "request")} under way`;
    const shares = weightInWords(file, server);
    if (wish.weight !== undefined) say(`${name} has ${shares} at ${where}`);
    else if (wish.order === "drain") say(`${name} drains at ${where}${left}`);
    else if (wish.order === "maint") say(`${name} is in maintenance at ${where}${left}`);
    else if (wish.order === "ready")
      say(`${name} takes requests again at ${where}${server.weight === null ? "" : `, with ${shares}`}`);
    else
      say(
        `${name} has ${shares} at ${where}${wanted === "ready" ? "" : `, and is out of service: ${since(server)}`}`,
      );
  }
  for (const [webServer, { unsaved }] of answers)
    if (unsaved !== "")
      complain(`note: a restart of ${webServer} forgets it, because it can't be written: ${unsaved}`);
  for (const cluster of new Set(seen.map(({ name }) => file.servers.get(name)!.cluster)))
    if (wish.order !== "ready" && isOutOfService(file, cluster, answers))
      complain(`note: no server of ${cluster} takes new visitors now: they get 503 until one is ready`);
}

function weightInWords(file: ClusterFile, { name, weight: text }: Seen): string {
  const ofFile = file.servers.get(name)!.weight;
  if (text === null) return `weight ${ofFile}, that of the file`;
  return `weight ${weightOf(text, ofFile)}${text.endsWith("%") ? ` (${text} of ${ofFile})` : ` (${ofFile} in the file)`}`;
}

function since({ order: wanted, orderedAtMs }: Seen): string {
  return `${wanted} since ${passed(Date.now() - (orderedAtMs ?? Date.now()))}`;
}

function isOutOfService(file: ClusterFile, cluster: string, answers: Answered["answers"]): boolean {
  const servers = file.clusters.get(cluster)!.servers;
  return [...answers.values()].every(({ words }) =>
    servers.every(({ name, weight: ofFile }) => {
      const own = words.find((one) => one.name === name);
      const isOut = (own?.order?.value ?? "ready") !== "ready";
      return isOut || weightOf(own?.weight?.value ?? "100%", ofFile) === 0;
    }),
  );
}

function untold(list: readonly Untold[], seen: readonly Seen[], isQuestion: boolean): FlotillaError {
  const told = [...new Set(seen.flatMap(({ at }) => at))];
  const what = list.map(({ webServer, why }) => `${webServer} (${why})`).join("; ");
  const message = isQuestion
    ? `not asked: ${what}`
    : `not known to be in force at ${what}; a web server that was not told learns it from ${enumerate(told) || "the others"} ` +
      "within seconds of its start, or of the end of the cut";
  return new FlotillaError("FLOTILLA_NOT_IN_FORCE", message, { source: "server" });
}

function stillBusy(busy: readonly Busy[], timeoutMs: number): FlotillaError {
  const what = busy.map(({ name, why }) => `${name} has ${why}`).join("; ");
  return new FlotillaError(
    "FLOTILLA_STILL_BUSY",
    `after ${timeoutMs / 1_000} s ${what}; the order stays in force`,
    { source: "server" },
  );
}
