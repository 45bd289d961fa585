/** Settings of a cluster that need no section of their own, its pages, logs and cache. */
import * as limits from "../../support/limits.ts";
import { type Setting, since } from "./setting.ts";

export const clusterSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.run",
    type: "command",
    since,
    tier: "app",
    description:
      "Command line that starts one app server. `flotilla start` runs it in the folder of this file with FLOTILLA_SERVER, FLOTILLA_CONFIG and PORT set, and keeps it running. A program that calls listen() is attached to the cluster port (docs/app.md).",
  },
  {
    path: "clusters.<name>.workers",
    type: "integerOrAuto",
    since,
    tier: "web",
    minimum: 1,
    maximum: limits.workers.workersMax,
    default: 1,
    description:
      "Processes of each web server that share its ports, or `auto` for one per processor core. Limits count per worker.",
  },
  {
    path: "clusters.<name>.health",
    type: "endpoint",
    since,
    tier: "web",
    description:
      'Port, or "address:port", where each web server answers `/livez` and `/readyz`, and nothing else. Never one of `listen:`.',
  },
  {
    path: "clusters.<name>.attach",
    type: "flag",
    since,
    tier: "app",
    default: true,
    description:
      "Whether a program of `run:` that calls listen() is attached to the cluster port. `false`: its server is a proxy, and speaks plain HTTP to it at 127.0.0.1, on the port that PORT in its environment names.",
  },
  {
    path: "clusters.<name>.trust",
    type: "list",
    since,
    tier: "web",
    maximum: 1_000,
    description:
      "Networks of balancers in front of us, whose Forwarded, X-Forwarded-* and X-Request-Id are believed. All others' are replaced.",
  },
  {
    path: "clusters.<name>.trust[]",
    type: "network",
    since,
    description: "An address or a network like `10.0.0.0/8`.",
  },
  {
    path: "clusters.<name>.maintenance",
    type: "flagOrFile",
    since,
    default: false,
    description:
      "All requests for this cluster are answered 503 by the web tier: with `true` in words of ours, else with this page. In a web cluster that is every request.",
  },
  {
    path: "clusters.<name>.errorPages",
    type: "named",
    names: "answerStatus",
    since,
    tier: "web",
    minimum: 1,
    maximum: limits.config.errorPagesMax,
    description:
      "Pages of the site's own for errors that the web tier answers: a status like `404`, or `4xx` and `5xx` for those without one of their own.",
  },
  {
    path: "clusters.<name>.errorPages.<name>",
    type: "file",
    since,
    description:
      "HTML, text, JSON or XML of 64 KiB at most, by the ending of its name; relative to this file.",
  },
  {
    path: "clusters.<name>.interceptErrors",
    type: "flag",
    since,
    tier: "web",
    default: false,
    description:
      "Errors that an application answers are replaced by `errorPages:` too. Its cookies and the fields that belong to the status stay.",
  },
  {
    path: "clusters.<name>.compress",
    type: "flag",
    since,
    tier: "web",
    default: false,
    description:
      "Compress answers that deserve it (text, JSON, SVG and the like, from 1 KiB on) for clients that take zstd, br or gzip. See docs/compression.md before turning it on for pages that hold secrets.",
  },
  {
    path: "clusters.<name>.sessionIdFrom",
    type: "list",
    since,
    tier: "web",
    minimum: 1,
    maximum: 1_000,
    description:
      "Networks whose clients may choose a server by a session id at the end of a path, on routes with `sessionIdInPath:`.",
  },
  {
    path: "clusters.<name>.sessionIdFrom[]",
    type: "network",
    since,
    description: "An address or a network like `10.0.0.0/8`.",
  },
  {
    path: "clusters.<name>.log",
    type: "section",
    since,
    tier: "web",
    description: "The access log.",
  },
  {
    path: "clusters.<name>.log.access",
    type: "logTarget",
    since,
    default: "<data>/log/{server}.access.log",
    description:
      "File for one line per request, relative to this file; `{server}` in it is the server's name. `-` is standard output, `off` is none.",
  },
  {
    path: "clusters.<name>.log.format",
    type: "choice",
    since,
    default: "combined",
    choices: ["combined", "json", "httplog"],
    description:
      "`combined` as Apache and nginx write it, `json` for one object per line, `httplog` as HAProxy writes it. See docs/logs.md.",
  },
  {
    path: "clusters.<name>.cache",
    type: "section",
    since,
    planned: true,
    tier: "web",
    description: "The web tier's cache of answers.",
  },
  {
    path: "clusters.<name>.cache.memory",
    type: "size",
    since,
    minimum: 0,
    maximum: 2 ** 46,
    description: "Memory for it, per server.",
  },
  {
    path: "clusters.<name>.cache.disk",
    type: "size",
    since,
    minimum: 0,
    maximum: 2 ** 46,
    description: "Disk for it, per server.",
  },
];
