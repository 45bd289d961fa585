/** The sessions of a cluster's applications, and at the top of the file the same keys as the default of all clusters (R31). */
import * as limits from "../../support/limits.ts";
import { dayMs, type Setting, since } from "./setting.ts";

function storeKeysOf(store: string): readonly Setting[] {
  return [
    {
      path: store,
      type: "section",
      since,
      shortFor: "kind",
      description: "Where sessions live (docs/sessions.md, docs/session-stores.md).",
    },
    {
      path: `${store}.kind`,
      type: "choice",
      since,
      choices: ["cluster", "file", "postgres", "mysql", "redis"],
      description:
        "`cluster` (the default): on the app servers, each session on two of them. `file`: on the disk of the only app server. `postgres`, `mysql`, `redis`: in a database that the site runs already; it stands by itself in `postgres:`, `mysql:` or `redis:`.",
    },
    {
      path: `${store}.postgres`,
      type: "secret",
      since,
      minimum: 1,
      maximum: limits.config.includedBytesMax,
      description:
        'A PostgreSQL (12 or newer): "postgres://user@10.0.0.5:5432/database?sslmode=verify-full". It needs the package `pg`.',
    },
    {
      path: `${store}.mysql`,
      type: "secret",
      since,
      minimum: 1,
      maximum: limits.config.includedBytesMax,
      description:
        'A MySQL (8.0 or newer) or MariaDB (10.6 or newer): "mysql://user@10.0.0.5:3306/database?ssl-mode=verify-identity". It needs the package `mysql2`.',
    },
    {
      path: `${store}.redis`,
      type: "secret",
      since,
      minimum: 1,
      maximum: limits.config.includedBytesMax,
      description:
        'A Redis (6.2 or newer) or Valkey: "rediss://10.0.0.5:6379/0", without TLS "redis://10.0.0.5:6379". It needs the package `redis`.',
    },
    {
      path: `${store}.table`,
      type: "tableName",
      since,
      default: "flotilla_sessions",
      description:
        "With `postgres:` or `mysql:`: its table, made when there is none. Clusters that share a database need one each.",
    },
    {
      path: `${store}.dataType`,
      type: "choice",
      since,
      choices: ["text", "jsonb", "bytea", "longtext", "longblob", "json"],
      description:
        "The type of the column with a session's data. Of PostgreSQL `text` (the default), `jsonb` or `bytea`; of MySQL `longtext` (the default), `longblob` or `json`.",
    },
    {
      path: `${store}.connections`,
      type: "integer",
      since,
      minimum: 1,
      maximum: limits.sessionStores.connectionsMax,
      default: limits.sessionStores.connections,
      description:
        "With `postgres:` or `mysql:`: connections of each process, at the most. With `postgres:` and `load: cached` one of them is for notices of changes.",
    },
    {
      path: `${store}.prefix`,
      type: "keyPrefix",
      since,
      default: "flotilla:",
      description: "With `redis:`: what its keys begin with. Clusters that share a Redis need one each.",
    },
    {
      path: `${store}.user`,
      type: "parameterValue",
      since,
      description: "The database's user, where its address names none.",
    },
    {
      path: `${store}.password`,
      type: "secret",
      since,
      minimum: 1,
      maximum: limits.config.includedBytesMax,
      description:
        'The user\'s password. It need not stand in this file: docs/configuration.md, "Secrets and variables".',
    },
    {
      path: `${store}.tls`,
      type: "section",
      since,
      description: "Certificates of the connections to the database.",
    },
    {
      path: `${store}.tls.ca`,
      type: "file",
      since,
      description:
        "PEM file of the authorities that may have signed the database's certificate. By default those of Node.",
    },
    {
      path: `${store}.tls.cert`,
      type: "file",
      since,
      description: "PEM file: the certificate that this site shows to the database.",
    },
    {
      path: `${store}.tls.key`,
      type: "file",
      since,
      description: "PEM file: its private key, without a passphrase.",
    },
    {
      path: `${store}.tls.serverName`,
      type: "serverName",
      since,
      description: "The name that the database's certificate must have. By default the host of its address.",
    },
  ];
}

function keysOf(section: string): readonly Setting[] {
  return [
    ...storeKeysOf(`${section}.store`),
    {
      path: `${section}.load`,
      type: "choice",
      since,
      default: "cached",
      choices: ["cached", "always"],
      description:
        "With a database in `store:`. `cached`: a server answers from its copy of a session, of which it is told when another one writes it. `always`: each request reads the database; for balancers that send a visitor to any server.",
    },
    {
      path: `${section}.durability`,
      type: "choice",
      since,
      default: "backup",
      choices: ["memory", "backup", "backup+disk"],
      description:
        "With the sessions on the app servers: what an answered change survives. `backup`: the death of any one app server, for another one has a copy; needs two app servers, and three machines to be safe from a cut between them. `backup+disk`: the death of all of them at once too, for both have it on disk. `memory`: nothing; a session is on one app server and ends with it. See docs/sessions.md.",
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
        "Memory for sessions in each app server's process, copies included. Above it the longest unused ones make room: they end, or, with `backup+disk`, stay on disk alone.",
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
