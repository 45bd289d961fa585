/** `flotilla reload`: running servers of this machine go on by the file as it is on the disk now. */
import { Asker } from "../admin/ask.ts";
import { livingRecords } from "../admin/run-record.ts";
import type { ReloadAnswer } from "../admin/started-file.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import { codeOf, FlotillaError } from "../support/errors.ts";
import { admin as limits } from "../support/limits.ts";
import { localServers, openFile, shortName } from "./cluster-file.ts";
import { complain, enumerate, say, sayJson } from "./terminal.ts";

interface Reloaded extends ReloadAnswer {
  readonly name: string;
}

/**
 * @returns the exit code, once the change is in force.
 * @throws FlotillaError when it is refused: nothing of that server has changed then.
 */
export async function reload(path: string, asJson: boolean): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  const reloaded: Reloaded[] = [];
  const asker = new Asker(file);
  // Web servers last: what they are to send to others should be there by then.
  const local = await localServers([...file.servers.values()].filter(({ kind }) => kind !== "http"));
  for (const server of local.toSorted((one, other) => tierOf(file, one) - tierOf(file, other))) {
    const answer = await ask(asker, server, file.path);
    if (answer !== null) reloaded.push({ name: server.name, ...answer });
  }
  if (reloaded.length === 0)
    throw new FlotillaError(
      "FLOTILLA_RELOAD_REFUSED",
      `not reloaded: no server of ${shortName(file)} runs on this machine`,
      { source: "client" },
    );
  if (asJson) sayJson({ reloaded });
  else tell(file, reloaded);
  return 0;
}

function tell(file: ClusterFile, reloaded: readonly Reloaded[]): void {
  const web = reloaded.filter(({ name }) => tierOf(file, file.servers.get(name)!) === 1);
  if (web.length > 0)
    say(
      `${enumerate(web.map(({ name }) => name))} ${web.length === 1 ? "goes" : "go"} on by ${shortName(file)}`,
    );
  for (const note of [...reloaded.flatMap(({ notes }) => notes), ...left(file)]) complain(`note: ${note}`);
}

/** They run on, and no other command speaks of them: a file that lost a part of itself looks like that too. */
function left(file: ClusterFile): string[] {
  const running = new Set(livingRecords(file).flatMap(({ servers }) => servers));
  return [...running]
    .filter((name) => !file.servers.has(name))
    .map(
      (name) =>
        `${name} runs on this machine, and ${shortName(file)} names it no more: put its entry back, ` +
        `\`flotilla stop ${name}\`, and take it out again`,
    );
}

function tierOf(file: ClusterFile, { cluster }: Server): number {
  return file.clusters.get(cluster)!.tier === "web" ? 1 : 0;
}

/** @returns null when it does not run. */
async function ask(asker: Asker, server: Server, path: string): Promise<ReloadAnswer | null> {
  try {
    return (await asker.server(server, { ask: "reload", path }, limits.reloadTimeoutMs)) as ReloadAnswer;
  } catch (error) {
    if (codeOf(error) === "FLOTILLA_LINK_UNREACHABLE") return null;
    throw error;
  }
}
