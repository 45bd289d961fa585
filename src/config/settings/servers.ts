/** Settings of servers and witnesses. */
import * as limits from "../../support/limits.ts";
import { type Setting, since } from "./setting.ts";

export const serverSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.servers",
    type: "named",
    since,
    required: true,
    minimum: 1,
    maximum: limits.config.serversPerClusterMax,
    description: "The servers of the cluster, each under a name that no other server of the file has.",
  },
  {
    path: "clusters.<name>.servers.<name>",
    type: "section",
    since,
    oneOf: ["address", "http"],
    description: "One server: a member of the cluster (`address:`) or any plain HTTP server (`http:`).",
  },
  {
    path: "clusters.<name>.servers.<name>.address",
    type: "address",
    since,
    description: "IP address or host name on which the other servers reach this one.",
  },
  {
    path: "clusters.<name>.servers.<name>.port",
    type: "integer",
    since,
    minimum: 1,
    maximum: 65_535,
    default: 6_800,
    description: "The cluster port: everything between servers travels there, encrypted.",
  },
  {
    path: "clusters.<name>.servers.<name>.letter",
    type: "letter",
    since,
    description:
      "First character of the ids of sessions that this server owns. By default that of its place (a to z, A to Z, 0 to 9), or the first free one where another entry names that letter.",
  },
  {
    path: "clusters.<name>.servers.<name>.processes",
    type: "integer",
    since,
    tier: "app",
    minimum: 1,
    maximum: limits.config.processesMax,
    description:
      "Start the application so many times, on consecutive cluster ports from `port:` on, as servers NAME.1, NAME.2 and so on. Node uses one processor core per process.",
  },
  {
    path: "clusters.<name>.servers.<name>.weight",
    type: "integer",
    since,
    tier: "app",
    minimum: 0,
    maximum: limits.config.weightMax,
    default: 1,
    description:
      "Its share of the requests beside the other servers of the cluster. 0: none but those of sessions that it keeps.",
  },
  {
    path: "clusters.<name>.servers.<name>.backup",
    type: "flag",
    since,
    tier: "app",
    default: false,
    description:
      "It gets what would be answered 503 otherwise: requests come to it while all the others are down, or full with as many waiting as may. See docs/protection.md.",
  },
  {
    path: "clusters.<name>.servers.<name>.requests",
    type: "integer",
    since,
    tier: "app",
    minimum: 1,
    maximum: 65_535,
    default: limits.upstream.requestsMax,
    description:
      "With `address:`: requests of each process of a web server to it at once, upgraded connections included. More go to another server, or wait. See docs/protection.md.",
  },
  {
    path: "clusters.<name>.servers.<name>.http",
    type: "url",
    since,
    tier: "app",
    description:
      'A plain HTTP server in any language: "http://host:port", "https://host:port" or "unix:/run/app.sock". It needs no library, and its cluster port does not exist. A name is resolved again when its DNS record says so.',
  },
  {
    path: "clusters.<name>.servers.<name>.host",
    type: "hostField",
    since,
    description: "With `http:`: sent to it as Host. By default it gets the host that the browser asked for.",
  },
  {
    path: "clusters.<name>.servers.<name>.connections",
    type: "integer",
    since,
    minimum: 1,
    maximum: 65_535,
    default: limits.upstream.socketsMax,
    description:
      "With `http:`: connections of each process of a web server to it at once (`maxconn` of HAProxy, `max_conns` of nginx). More requests go to another server, or wait.",
  },
  {
    path: "clusters.<name>.servers.<name>.idleConnections",
    type: "integer",
    since,
    minimum: 0,
    maximum: 65_535,
    default: limits.upstream.idleSocketsMax,
    description:
      "With `http:`: those of them that are kept open between requests (`keepalive` of nginx, `pool-max-conn` of HAProxy).",
  },
  {
    path: "clusters.<name>.servers.<name>.queue",
    type: "integer",
    since,
    tier: "app",
    minimum: 0,
    maximum: 65_535,
    default: limits.upstream.waitingMax,
    description:
      "Requests that may wait, for at most `timeouts: { queue: }`, while no server of the cluster has room. They wait in one line for all of them: of two servers with 100 each, 200 wait. One more is answered 503.",
  },
  {
    path: "clusters.<name>.servers.<name>.agent",
    type: "endpoint",
    since,
    description:
      'With `http:`: "host:port" of `flotilla agent` on its machine, or of any program that answers HAProxy\'s agent-check. See docs/load.md.',
  },
  {
    path: "clusters.<name>.servers.<name>.tls",
    type: "section",
    since,
    description: "With `http: https://...`: how the server's certificate is checked.",
  },
  {
    path: "clusters.<name>.servers.<name>.tls.ca",
    type: "file",
    since,
    description:
      "PEM file of the authorities that may have signed it. By default those of Node and of the system.",
  },
  {
    path: "clusters.<name>.servers.<name>.tls.serverName",
    type: "serverName",
    since,
    description: "The name that it must have, and that is sent as SNI. By default the host of `http:`.",
  },
  {
    path: "clusters.<name>.servers.<name>.tls.verify",
    type: "flag",
    since,
    default: true,
    description:
      "`false` takes any certificate, anybody's: who sits between can read and change everything. `check` warns of it.",
  },
];

export const witnessSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.witness",
    type: "named",
    since,
    tier: "app",
    minimum: 1,
    maximum: 1,
    description:
      "For app servers on two machines: a process on a third one that only votes on who keeps which session, so that a cut between the two loses nothing. `flotilla start` runs it under this name; it needs no application and keeps no sessions.",
  },
  {
    path: "clusters.<name>.witness.<name>",
    type: "section",
    since,
    description: "The witness.",
  },
  {
    path: "clusters.<name>.witness.<name>.address",
    type: "address",
    since,
    required: true,
    description:
      "IP address or host name on which the app servers reach it: of a third machine, for instance a web server's.",
  },
  {
    path: "clusters.<name>.witness.<name>.port",
    type: "integer",
    since,
    minimum: 1,
    maximum: 65_535,
    default: 6_800,
    description: "Its cluster port.",
  },
];
