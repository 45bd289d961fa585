/** Settings of how requests are spread over the servers of a cluster, and of how a server's health is found out. */
import * as limits from "../../support/limits.ts";
import { dayMs, type Setting, since } from "./setting.ts";

export const balancingSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.balance",
    type: "section",
    since,
    tier: "app",
    shortFor: "policy",
    description:
      "How requests that no session and no affinity keeps at a server are spread. See docs/balancing.md.",
  },
  {
    path: "clusters.<name>.balance.policy",
    type: "choice",
    since,
    default: "least-load",
    choices: [
      "least-load",
      "round-robin",
      "least-connections",
      "random-of-two",
      "latency",
      "consistent-hash",
    ],
    description:
      "`least-load`: fewest in flight, times what the server reports of its processor. `round-robin`: in turn. `least-connections`: fewest requests in flight. `random-of-two`: the better of two chosen at random. `latency`: least recent time to answer, times those in flight. `consistent-hash`: by something in the request, see `by`.",
  },
  {
    path: "clusters.<name>.balance.by",
    type: "choice",
    since,
    default: "client-address",
    choices: ["client-address", "path", "header", "cookie"],
    description: "With `consistent-hash`: requests that are alike in this go to one server.",
  },
  {
    path: "clusters.<name>.balance.name",
    type: "fieldName",
    since,
    description: "With `by: header` and `by: cookie`: its name. Requests without it are spread at random.",
  },
  {
    path: "clusters.<name>.balance.loadBound",
    type: "percent",
    since,
    minimum: 105,
    maximum: 1_000,
    default: limits.balance.loadBoundPercent,
    description:
      "With `consistent-hash`: no server gets more than so much of the mean of requests in flight; what is above goes to the next one.",
  },
  {
    path: "clusters.<name>.affinity",
    type: "section",
    since,
    tier: "app",
    shortFor: "by",
    description:
      "Keeps a visitor at one server, for applications that keep sessions of their own in memory. See docs/affinity.md.",
  },
  {
    path: "clusters.<name>.affinity.by",
    type: "choice",
    since,
    required: true,
    choices: ["cookie", "client-address"],
    description:
      "`cookie`: the web tier gives each browser a signed cookie. `client-address`: all connections of an address go to one server.",
  },
  {
    path: "clusters.<name>.affinity.name",
    type: "cookieName",
    since,
    default: "route",
    description:
      "With `by: cookie`: the name of the cookie. Two clusters reached on one host need two names.",
  },
  {
    path: "clusters.<name>.affinity.for",
    type: "duration",
    since,
    minimum: 1_000,
    maximum: 30 * dayMs,
    default: limits.affinity.addressKeptMs,
    description: "With `by: client-address`: for so long after the last request.",
  },
  {
    path: "clusters.<name>.check",
    type: "section",
    since,
    tier: "app",
    shortFor: "http",
    oneOf: ["http", "tcp"],
    description:
      "Each web server asks each server of the cluster again and again whether it is well. Without, a server is judged by its connections and answers alone. See docs/checks.md.",
  },
  {
    path: "clusters.<name>.check.http",
    type: "checkTarget",
    since,
    description: "Path of a GET that has to be answered.",
  },
  {
    path: "clusters.<name>.check.tcp",
    type: "flag",
    since,
    description: "`true`: it is enough that a connection can be opened. For plain HTTP servers.",
  },
  {
    path: "clusters.<name>.check.host",
    type: "hostField",
    since,
    description: "With `http:`: sent as Host. By default the server's address, or its own `host:`.",
  },
  {
    path: "clusters.<name>.check.status",
    type: "statusRange",
    since,
    default: "200-399",
    description: "With `http:`: what is well.",
  },
  {
    path: "clusters.<name>.check.body",
    type: "parameterValue",
    since,
    description: "With `http:`: a text that the answer must have in its first 16 KiB.",
  },
  {
    path: "clusters.<name>.check.interval",
    type: "duration",
    since,
    minimum: 100,
    maximum: dayMs,
    default: limits.serverHealth.checkIntervalMs,
    description: "How often, give or take a tenth.",
  },
  {
    path: "clusters.<name>.check.timeout",
    type: "duration",
    since,
    minimum: 10,
    maximum: 600_000,
    default: limits.serverHealth.checkTimeoutMs,
    description: "For all of a check: name, connection, answer. Of the answer the first 16 KiB are enough.",
  },
  {
    path: "clusters.<name>.check.rise",
    type: "integer",
    since,
    minimum: 1,
    maximum: 100,
    default: limits.serverHealth.rise,
    description: "A server that is down is up again after so many good answers in a row.",
  },
  {
    path: "clusters.<name>.check.fall",
    type: "integer",
    since,
    minimum: 1,
    maximum: 100,
    default: limits.serverHealth.fall,
    description: "A server that is up is down after so many bad ones in a row.",
  },
  {
    path: "clusters.<name>.slowStart",
    type: "duration",
    since,
    tier: "app",
    minimum: 0,
    maximum: 3_600_000,
    default: limits.serverHealth.slowStartMs,
    description:
      "A server that is new or came back gets its full share of requests only after so long, for it is cold. `0s`: at once.",
  },
  {
    path: "clusters.<name>.retryBudget",
    type: "percent",
    since,
    tier: "app",
    minimum: 0,
    maximum: 100,
    default: limits.serverHealth.retryBudgetPercent,
    description:
      "At most so many of the requests of the last ten seconds, and ten a second, are sent once more after a server failed them.",
  },
];
