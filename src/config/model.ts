/** The checked and frozen file. What the rest of Flotilla reads; nothing of YAML is left in it. */

import type { CoordinationSettings, SessionSettings } from "./session-model.ts";
import type { TemplatePart } from "./template.ts";

export type * from "./session-model.ts";

export interface ClusterFile {
  /** Absolute path of the file. */
  readonly path: string;
  /** The folder of the file: relative names are relative to it, `run:` is started in it. */
  readonly folder: string;
  /** Cluster key, at least 32 bytes. */
  readonly secret: Buffer;
  /** The key before, accepted while secrets are changed, or null. */
  readonly previousSecret: Buffer | null;
  /** Absolute folder for what servers keep. */
  readonly dataFolder: string;
  readonly clusters: ReadonlyMap<string, Cluster>;
  /** All servers of all clusters by name, `processes:` expanded ("app-a.1"), and witnesses. */
  readonly servers: ReadonlyMap<string, Server>;
}

export interface Cluster {
  readonly name: string;
  /** `web`: it has routes and speaks to browsers. `app`: it makes the content. */
  readonly tier: "web" | "app";
  readonly servers: readonly Server[];
  /** App tier: a process that only votes on who keeps which session, or null. */
  readonly witness: Server | null;
  /** Web tier: where browsers connect. App tier: R74. */
  readonly listen: readonly Listener[];
  /** Web tier: processes of each server, null for as many as the machine has cores. */
  readonly workers: number | null;
  /** Web tier: where `/livez` and `/readyz` are answered, or null. */
  readonly health: Endpoint | null;
  readonly routes: readonly Route[];
  /** Command line that is one app server, or null. */
  readonly run: string | null;
  /** False: the program of `run:` listens on PORT of the loopback, and its server is a proxy in front of it. */
  readonly attach: boolean;
  readonly balance: BalanceSettings;
  /** Keeps visitors at servers; null: only sessions of ours do. */
  readonly affinity: AffinitySettings | null;
  /** Null: servers are judged by their connections and answers alone. */
  readonly check: CheckSettings | null;
  readonly slowStartMs: number;
  /** Share of requests that may be sent once more: 0.2 for 20%. */
  readonly retryBudget: number;
  /** Null: the cluster's applications have no sessions of ours by the file (session() still works with defaults). */
  readonly sessions: SessionSettings | null;
  /** App tier: who keeps the register of its sessions. */
  readonly coordination: CoordinationSettings;
  readonly trustedNetworks: readonly string[];
  /** Web tier: clients whose session ids in paths choose a server. */
  readonly sessionIdNetworks: readonly string[];
  readonly accessLog: AccessLogSettings;
  /** Web tier. Keys are "404", "4xx", ... */
  readonly errorPages: ReadonlyMap<string, OwnPage>;
  /** Errors of applications are replaced by those too. */
  readonly interceptErrors: boolean;
  /** Null: it takes requests. */
  readonly maintenance: Maintenance | null;
  /** Web tier: answers are compressed, unless a route says otherwise. */
  readonly compress: boolean;
  readonly limits: HttpLimits;
  readonly timeouts: Timeouts;
}

export interface Server {
  /** "app-a", or "app-a.2" where the entry has `processes:`. */
  readonly name: string;
  /** The entry's name ("app-a"), shared by its processes. */
  readonly entry: string;
  readonly cluster: string;
  /** R20: one of a-z A-Z 0-9; "" of a witness. */
  readonly letter: string;
  /** 0 without `processes:`, else 1 to N. */
  readonly processIndex: number;
  /** `link`: has a cluster port. `witness`: likewise, but it only votes. `http`: a plain HTTP server. */
  readonly kind: "link" | "witness" | "http";
  /** Cluster port, or the plain server's host and port. */
  readonly address: string;
  readonly port: number;
  /** "192.168.0.30:8080". Plain servers get it as Host where a client (HTTP/1.0) sent none. */
  readonly authority: string;
  /** Its share of requests beside the others of the cluster; 0: none but those that it keeps. */
  readonly weight: number;
  /** It gets requests only while no other can take any. */
  readonly isBackup: boolean;
  /** Of one process of a web server, at once; of a plain server its connections. */
  readonly requestsMax: number;
  /** Requests that wait while no server has room. */
  readonly waitingMax: number;
  /** How a plain server is reached; null of the others. */
  readonly plain: PlainServer | null;
}

export interface PlainServer {
  /** Absolute path of a Unix socket (the server's `address` is "" then, its port 0), or null. */
  readonly socketPath: string | null;
  /** Null: not encrypted. */
  readonly tls: PlainServerTls | null;
  /** Sent as Host instead of what the browser asked for, or null. */
  readonly host: string | null;
  readonly idleConnectionsMax: number;
  /** Where its load can be asked for, or null. */
  readonly agent: Endpoint | null;
}

export interface PlainServerTls {
  /** Absolute PEM file of the authorities that are trusted instead of the system's, or null. */
  readonly caPath: string | null;
  /** The name that its certificate must have; null: that of the address. */
  readonly serverName: string | null;
  /** False: any certificate is taken. */
  readonly verify: boolean;
}

export interface Endpoint {
  /** "::" or "0.0.0.0" when the file names only a port. */
  readonly address: string;
  readonly port: number;
}

export interface Listener extends Endpoint {
  readonly scheme: "http" | "https";
  /** Null with `http`. */
  readonly tls: TlsSettings | null;
  /** Offered to browsers; only with TLS. */
  readonly http2: boolean;
  /** Connections begin with a PROXY header. */
  readonly proxyProtocol: boolean;
  /** With `http`: every request is sent on to this port of HTTPS; or null. */
  readonly redirectPort: number | null;
  /** With `https`: the value of Strict-Transport-Security, or null. */
  readonly hsts: string | null;
}

export interface TlsSettings {
  /** At least one; the first is for browsers that ask for no host, or for none that a certificate names. */
  readonly certificates: readonly CertificateFiles[];
  /** Null: clients are not asked for one. */
  readonly clientCertificates: ClientCertificateSettings | null;
}

export interface ClientCertificateSettings {
  readonly mode: "required" | "optional";
  /** PEM: authorities. */
  readonly caPath: string;
  /** The same for messages. */
  readonly caShown: string;
}

export interface CertificateFiles {
  readonly certPath: string;
  readonly keyPath: string;
  /** The same for messages: what `${...}` stands for is not shown. */
  readonly certShown: string;
  readonly keyShown: string;
}

export interface Route {
  // What it takes: all of these must fit; null and empty fit everything.
  /** Lower-case host, "*.example.com", or null for any. */
  readonly host: string | null;
  /** "/foo/*" (it and all below), "/foo" (exact), "*.png" or "/foo/*.{png,gif}" (last part of the path), or null for any. */
  readonly path: string | null;
  /** RE2 grammar, searched for anywhere in the canonical path, or null. */
  readonly pathRegex: string | null;
  readonly methods: readonly string[];
  readonly fields: readonly NamedText[];
  readonly query: readonly NamedText[];
  /** Addresses and networks of clients. */
  readonly from: readonly string[];

  // What it does: exactly one of these is not null.
  /** A cluster. */
  readonly to: string | null;
  readonly files: FilesSettings | null;
  readonly redirect: RedirectSettings | null;
  readonly respond: RespondSettings | null;

  // Besides.
  /** A session id at the end of a path ends here; from some clients it chooses the server (R21). */
  readonly sessionIdInPath: boolean;
  /** Null: as the cluster says. */
  readonly compress: boolean | null;
  /** The new path, perhaps with a query, or null. */
  readonly rewrite: Template | null;
  readonly requestFields: FieldRules;
  readonly answerFields: FieldRules;
  /** Instead of `timeouts.requestTimeoutMs`, or null. */
  readonly timeoutMs: number | null;
  /** Instead of `limits.bodyBytesMax`, or null. */
  readonly bodyBytesMax: number | null;
  /** Networks of clients that may use it; empty for all. */
  readonly allow: readonly string[];
  /** Networks of clients that may not. */
  readonly deny: readonly string[];
  readonly rateLimit: RateLimitSettings | null;
  /** Bodies are taken whole before an app server sees any of them. */
  readonly buffer: boolean;
  /** Position in the file, for messages: "flotilla.yaml:12:9". */
  readonly at: string;
}

/** A text with parts of the request in it. */
export type Template = readonly TemplatePart[];

export interface NamedText {
  /** Field names are in lower case. */
  readonly name: string;
  /** Null: it must be there, with whatever value. */
  readonly value: string | null;
}

/** What is done to the fields of a message, in this order: what is removed or set goes, then what is set and added comes. */
export interface FieldRules {
  readonly set: readonly FieldRule[];
  readonly add: readonly FieldRule[];
  readonly remove: readonly string[];
}

export interface FieldRule {
  readonly name: string;
  readonly value: Template;
}

/** `count` requests in `perMs`, and up to `burst` at once. */
export interface RateLimitSettings {
  readonly count: number;
  readonly perMs: number;
  readonly burst: number;
}

export interface FilesSettings {
  /** Absolute. */
  readonly folder: string;
  /** Names of files that stand for their folder, the first that is there. */
  readonly index: readonly string[];
  /** Sent with 200 where there is no file: "/index.html", or null. */
  readonly fallback: string | null;
  readonly precompressed: boolean;
  readonly followSymlinks: boolean;
  readonly cacheControl: string | null;
}

export interface RedirectSettings {
  readonly to: Template;
  readonly status: number;
}

export interface RespondSettings {
  readonly status: number;
  readonly body: string;
  readonly type: string;
}

export interface BalanceSettings {
  readonly policy:
    | "round-robin"
    | "least-connections"
    | "random-of-two"
    | "least-load"
    | "latency"
    | "consistent-hash";
  /** Of `consistent-hash`: requests alike in this go to one server. */
  readonly by: "client-address" | "path" | "header" | "cookie";
  /** Of the header (lower case) or the cookie; "" with the others. */
  readonly name: string;
  /** Of `consistent-hash`: the most that a server gets, in means of the requests in flight (1.25). */
  readonly loadBound: number;
}

export interface AffinitySettings {
  readonly by: "cookie" | "client-address";
  readonly cookieName: string;
  /** Of client addresses: for so long after the last request. */
  readonly keptMs: number;
}

export interface CheckSettings {
  /** Null: a connection that opens is enough. */
  readonly http: HttpCheck | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Good ones in a row after which a server is up. */
  readonly rise: number;
  /** Bad ones in a row after which it is down. */
  readonly fall: number;
}

export interface HttpCheck {
  readonly target: string;
  /** Sent as Host; null: the server's own. */
  readonly host: string | null;
  readonly statusMin: number;
  readonly statusMax: number;
  /** Has to be found in the answer; "" for nothing. */
  readonly text: string;
}

/** A file of the site, read when the file of the cluster was. */
export interface OwnPage {
  /** For Content-Type. */
  readonly type: string;
  /** A character per byte (latin1). */
  readonly text: string;
}

export interface Maintenance {
  /** Null: words of ours. */
  readonly page: OwnPage | null;
}

export interface AccessLogSettings {
  /** Absolute file, "-" for standard output, or null for none. `{server}` in it is the server's name. */
  readonly path: string | null;
  readonly format: "combined" | "json" | "httplog";
}

export interface HttpLimits {
  readonly headBytesMax: number;
  readonly fieldsMax: number;
  readonly targetBytesMax: number;
  /** Largest request body, or Infinity. */
  readonly bodyBytesMax: number;
  readonly connectionsMax: number;
  /** Requests at a time on one HTTP/2 connection. */
  readonly streamsMax: number;
}

export interface Timeouts {
  readonly headTimeoutMs: number;
  readonly bodySilenceTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly writeSilenceTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly upstreamIdleTimeMs: number;
  readonly queueTimeoutMs: number;
  readonly recoverTimeMs: number;
  readonly requestTimeoutMs: number;
  readonly appKeepAliveTimeoutMs: number;
  readonly socketTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly drainDelayMs: number;
}
