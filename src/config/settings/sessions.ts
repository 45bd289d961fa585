/** The sessions of a cluster's applications, and at the top of the file the same keys as the default of all clusters (R31). */
import * as limits from "../../support/limits.ts";
import { dayMs, type Setting, since } from "./setting.ts";

function keysOf(section: string): readonly Setting[] {
  return [
    {
      path: `${section}.store`,
      type: "choice",
      since,
      default: "cluster",
      choices: ["cluster"],
      description: "Where sessions live: `cluster`, on the app servers.",
    },
    {
      path: `${section}.durability`,
      type: "choice",
      since,
      default: "backup",
      choices: ["memory", "backup", "backup+disk"],
      description:
        "What an answered change survives. `backup`: the death of any one app server, for another one has a copy; needs two app servers, and three machines to be safe from a cut between them. `backup+disk`: the death of all of them at once too, for both have it on disk. `memory`: nothing; a session is on one app server and ends with it. See docs/sessions.md.",
    },
    {
      path: `${section}.save`,
      type: "choice",
      since,
      default: "on-change",
      choices: ["on-change", "always", "on-shutdown"],
      description:
        "When a request's session is written, to the backup and to the disks. `on-change`: when the request changed it; that it was used follows within a minute. `always`: at the end of each request that used it. `on-shutdown`: only when the server stops in order; needs `durability: memory`. See docs/sessions.md.",
    },
    {
      path: `${section}.cookie`,
      type: "section",
      since,
      description: "The session cookie.",
    },
    {
      path: `${section}.cookie.name`,
      type: "cookieName",
      since,
      default: "sid",
      description: "Its name (`name` of express-session). Two clusters reached on one host need two names.",
    },
    {
      path: `${section}.idleTimeout`,
      type: "duration",
      since,
      minimum: 1_000,
      maximum: 3_650 * dayMs,
      default: limits.session.idleTimeoutMs,
      description: "A session that no request used for so long ends.",
    },
    {
      path: `${section}.absoluteTimeout`,
      type: "durationOrUnlimited",
      since,
      minimum: 1_000,
      maximum: 3_650 * dayMs,
      default: Number.POSITIVE_INFINITY,
      description: "A session ends so long after it began, however it is used.",
    },
    {
      path: `${section}.memory`,
      type: "size",
      since,
      minimum: 16 * 2 ** 20,
      maximum: 2 ** 46,
      default: limits.session.memoryBytesMax,
      description:
        "Memory for sessions in each app server's process, its copies of others' included. Above it the longest unused ones make room: they end, or, with `backup+disk`, stay on disk alone.",
    },
    {
      path: `${section}.disk`,
      type: "size",
      since,
      minimum: 64 * 2 ** 20,
      maximum: 2 ** 50,
      default: limits.session.diskBytesMax,
      description:
        "Disk for sessions of each app server; only with `durability: backup+disk`. Above it the longest unused ones end.",
    },
  ];
}

export const sessionSettings: readonly Setting[] = [
  {
    path: "sessions",
    type: "section",
    since,
    description:
      "Sessions of all clusters of app servers that keep them. A key that a cluster's own `sessions:` has counts there instead.",
  },
  ...keysOf("sessions"),
  {
    path: "clusters.<name>.sessions",
    type: "section",
    since,
    tier: "app",
    description:
      "The sessions of the applications in this cluster. A key that is not here is that of `sessions:` at the top of the file, else the default.",
  },
  ...keysOf("clusters.<name>.sessions"),
];
