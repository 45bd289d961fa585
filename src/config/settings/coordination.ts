/** Settings of who keeps the register of a cluster's sessions. */
import * as limits from "../../support/limits.ts";
import { type Setting, since } from "./setting.ts";

export const coordinationSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.coordination",
    type: "section",
    since,
    tier: "app",
    shortFor: "engine",
    description:
      "Who keeps the register of the cluster's sessions, which says which server has which of them (docs/register.md).",
  },
  {
    path: "clusters.<name>.coordination.engine",
    type: "choice",
    since,
    choices: ["members", "etcd", "postgres"],
    description:
      "`members` (the default): the app servers' machines themselves, by votes. `etcd`, `postgres`: one that the site runs already; it stands by itself in `etcd:` or `postgres:`.",
  },
  {
    path: "clusters.<name>.coordination.etcd",
    type: "list",
    since,
    orSingle: true,
    minimum: 1,
    maximum: limits.etcd.endpointsMax,
    description: "An etcd (3.4 or newer): the client URLs of its servers, which are asked in turn.",
  },
  {
    path: "clusters.<name>.coordination.etcd[]",
    type: "url",
    since,
    description: 'Such as "http://10.0.0.5:2379" or "https://etcd-1.example.com:2379".',
  },
  {
    path: "clusters.<name>.coordination.from",
    type: "choice",
    since,
    choices: ["members"],
    description:
      "While a site that runs moves its register: who keeps it until `flotilla coordination move` (docs/register.md). Taken out afterwards.",
  },
  {
    path: "clusters.<name>.coordination.prefix",
    type: "keyPrefix",
    since,
    default: "/flotilla/",
    description:
      "With `etcd:`: what its keys begin with; the register is one key, this and the cluster's name. Sites that share an etcd need one each.",
  },
  {
    path: "clusters.<name>.coordination.postgres",
    type: "secret",
    since,
    minimum: 1,
    maximum: limits.config.includedBytesMax,
    description:
      'A PostgreSQL (12 or newer): "postgres://user@10.0.0.5:5432/database?sslmode=verify-full". Of several hosts, with commas between, the one that is the primary is found.',
  },
  {
    path: "clusters.<name>.coordination.table",
    type: "tableName",
    since,
    default: "flotilla_register",
    description:
      "With `postgres:`: its table, made when there is none; the register is one row, the cluster's name is its key. Sites that share a database need one each.",
  },
  {
    path: "clusters.<name>.coordination.user",
    type: "parameterValue",
    since,
    description: "The user: of `etcd:` where it knows users, of `postgres:` where its address names none.",
  },
  {
    path: "clusters.<name>.coordination.password",
    type: "secret",
    since,
    minimum: 1,
    maximum: limits.config.includedBytesMax,
    description:
      'The user\'s password. It need not stand in this file: docs/configuration.md, "Secrets and variables".',
  },
  {
    path: "clusters.<name>.coordination.tls",
    type: "section",
    since,
    description: "With `https://` in `etcd:`, or with `postgres:`: certificates.",
  },
  {
    path: "clusters.<name>.coordination.tls.ca",
    type: "file",
    since,
    description:
      "PEM file of the authorities that may have signed the servers' certificates. By default those of Node.",
  },
  {
    path: "clusters.<name>.coordination.tls.cert",
    type: "file",
    since,
    description: "PEM file: the certificate that this site shows to the engine. It is read at the start.",
  },
  {
    path: "clusters.<name>.coordination.tls.key",
    type: "file",
    since,
    description: "PEM file: its private key, without a passphrase.",
  },
  {
    path: "clusters.<name>.coordination.tls.serverName",
    type: "serverName",
    since,
    description: "The name that the servers' certificates must have. By default the host of the URL.",
  },
];
