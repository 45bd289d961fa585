/** `flotilla explain`: which route of the file takes a URL, and what happens to it. Asks no server. */
import { isIP } from "node:net";
import { basename } from "node:path";
import type { Cluster, ClusterFile, Listener } from "../config/model.ts";
import { FlotillaError } from "../support/errors.ts";
import { type AskedRequest, type Explanation, explain as explainRequest } from "../web-tier/explanation.ts";
import { openFile, shortName } from "./cluster-file.ts";
import { coloured, complain, say, sayJson, table } from "./terminal.ts";

export interface ExplainOptions {
  readonly method: string;
  /** "name: value" each. */
  readonly header: readonly string[];
  readonly from: string;
  readonly json: boolean;
}

/** @returns the exit code: 0 when the request is answered by whatever a route does, 1 when it is refused. */
export function explain(path: string, url: string, options: ExplainOptions): number {
  const file = openFile(path);
  if (file === null) return 1;
  const asked = askedRequest(url, options);
  const { cluster, listener } = entranceOf(file, asked);
  const explanation = explainRequest(file, cluster, listener, asked);
  const refused = explanation.status !== null && explanation.steps.some(({ what }) => what === "refused");
  if (options.json)
    sayJson({ cluster: cluster.name, method: asked.method, from: asked.from, ...explanation });
  else {
    if (listener === null) {
      complain(
        `flotilla: no web server listens on ${asked.scheme} port ${portOf(asked)}; the routes of ${cluster.name} are told`,
      );
    }
    tell(explanation, asked, cluster, shortName(file));
  }
  return refused || explanation.target === null ? 1 : 0;
}

function tell(
  { target, routes, steps }: Explanation,
  asked: AskedRequest,
  cluster: Cluster,
  fileName: string,
): void {
  say(`${asked.method} ${asked.scheme}://${asked.authority}${asked.target} from ${asked.from}`);
  if (target !== null && target !== asked.target)
    say(`For routes, files and the application it is ${target}`);
  if (routes.length > 0) {
    say("");
    say(`Routes of ${cluster.name} in ${fileName}, from the top:`);
    const rows = routes.map(({ at, takes, why }) => [
      `  line ${at.split(":").at(-2)}`,
      takes ? "takes it" : "no",
      takes ? why || "everything" : `not ${why}`,
    ]);
    for (const [row, line] of table(rows, new Set()).entries())
      say(routes[row]!.takes ? coloured(line, "green") : coloured(line, "dim"));
  }
  say("");
  for (const line of table(
    steps.map(({ what, text }) => [`  ${what}`, text]),
    new Set(),
  ))
    say(line);
}

/** @throws FlotillaError FLOTILLA_URL_WRONG */
function askedRequest(url: string, { method, header, from }: ExplainOptions): AskedRequest {
  const parts = /^(https?):\/\/([^/?#]+)([/?][^#]*)?$/i.exec(url);
  const wrong = (message: string): FlotillaError =>
    new FlotillaError("FLOTILLA_URL_WRONG", message, { source: "client" });
  if (parts === null) throw wrong(`"${url}" is no URL like http://host/path (without a fragment)`);
  if (isIP(from) === 0) throw wrong(`--from needs an IP address, not "${from}"`);
  const fields = header.map((line) => {
    const colon = line.indexOf(":");
    if (colon < 1) throw wrong(`--header needs "name: value", not "${line}"`);
    return { name: line.slice(0, colon), value: line.slice(colon + 1).trim() };
  });
  const rest = parts[3] ?? "/";
  const scheme = parts[1]!.toLowerCase() as "http" | "https";
  const target = rest.startsWith("/") ? rest : `/${rest}`;
  return { method, scheme, authority: parts[2]!, target, fields, from };
}

/** The web tier that listens there; where none does, the first of the file. @throws FlotillaError FLOTILLA_NO_ROUTES */
function entranceOf(file: ClusterFile, asked: AskedRequest): { cluster: Cluster; listener: Listener | null } {
  const webs = [...file.clusters.values()].filter(({ tier }) => tier === "web");
  const port = portOf(asked);
  for (const cluster of webs) {
    const listener = cluster.listen.find((one) => one.scheme === asked.scheme && one.port === port);
    if (listener !== undefined) return { cluster, listener };
  }
  if (webs.length > 0) return { cluster: webs[0]!, listener: null };
  throw new FlotillaError("FLOTILLA_NO_ROUTES", `${basename(file.path)} has no cluster with routes:`, {
    source: "client",
  });
}

function portOf({ scheme, authority }: AskedRequest): number {
  const port = /:(\d+)$/.exec(authority)?.[1];
  return port === undefined ? (scheme === "https" ? 443 : 80) : Number(port);
}
