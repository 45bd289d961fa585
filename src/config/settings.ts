/**
 * THE table of settings: every key of flotilla.yaml, one row each. It drives the check of the file, the JSON
 * Schema (schema/flotilla.schema.json) and the reference (docs/reference.md); `npm run generate` writes both.
 *
 * Paths: `<name>` stands for a name that the file chooses, `[]` for each item of a list. A section comes before
 * its keys. Durations are in milliseconds and sizes in bytes here, and with a unit in the file.
 */
import * as limits from "../support/limits.ts";

/** Kinds of single values; what each may be stands in scalars.ts. */
export type ScalarType =
  | "secret"
  | "flag"
  | "integer"
  | "integerOrAuto"
  | "duration"
  | "size"
  | "sizeOrUnlimited"
  | "choice"
  | "letter"
  | "address"
  | "endpoint"
  | "url"
  | "hostField"
  | "serverName"
  | "file"
  | "folder"
  | "command"
  | "hostPattern"
  | "pathPattern"
  | "network"
  | "clusterName"
  | "cookieName"
  | "logTarget"
  | "fileName"
  | "filePath"
  | "method"
  | "regex"
  | "fieldName"
  | "flagOrFile"
  | "fieldValue"
  | "parameterValue"
  | "template"
  | "body"
  | "rate";

/** Kinds of names that the file chooses; what each may be stands in scalars.ts. */
export type NameType = "fieldName" | "answerStatus" | "parameterName";

export interface Setting {
  readonly path: string;
  /** `named`: a section whose keys are names. */
  readonly type: "section" | "named" | "list" | ScalarType;
  readonly description: string;
  /** The version that brought it. */
  readonly since: string;
  /** Accepted, with a warning that it is not in force yet. */
  readonly planned?: true;
  readonly required?: true;
  /** Of numbers their size, of a secret its bytes, of `named` and `list` their entries. */
  readonly minimum?: number;
  readonly maximum?: number;
  /** In the unit of the type. Infinity is written `unlimited`. */
  readonly default?: string | number | boolean;
  readonly choices?: readonly string[];
  /** Choices that are accepted, with a warning that they are not in force yet, and the one used instead. */
  readonly plannedChoices?: Readonly<Record<string, string>>;
  /** Of a section: a value that stands there alone is that of this key. */
  readonly shortFor?: string;
  /** Of a list: an entry that stands there alone, without a list around it, is the only one. */
  readonly orSingle?: true;
  /** Of `named`: what its names are. Without it they are names of servers and clusters. */
  readonly names?: NameType;
  /** Exactly one of these keys must be in the section. */
  readonly oneOf?: readonly string[];
  /** Belongs to clusters of this tier only. A cluster with `routes:` is of the web tier, any other of the app tier. */
  readonly tier?: "web" | "app";
}

const since = "0.1";
const dayMs = 86_400_000;

const fileSettings: readonly Setting[] = [
  {
    path: "secret",
    type: "secret",
    since,
    required: true,
    minimum: limits.config.secretBytesMin,
    maximum: limits.config.includedBytesMax,
    description: `The key of the cluster, the same on every machine; "flotilla secret" makes one. Best kept out of this file: \${file:/etc/flotilla/secret} or \${env:NAME}.`,
  },
  {
    path: "previousSecret",
    type: "secret",
    since,
    minimum: limits.config.secretBytesMin,
    maximum: limits.config.includedBytesMax,
    description:
      "The key before this one, accepted but no longer used for anything new, so that the key can be changed while the cluster runs.",
  },
  {
    path: "data",
    type: "folder",
    since,
    default: ".flotilla",
    description: "Folder for what a server keeps: logs and its own state. Relative to this file.",
  },
  {
    path: "clusters",
    type: "named",
    since,
    required: true,
    minimum: 1,
    maximum: 1_000,
    description: "The clusters of the site, each under its name (a-z, 0-9, `-`).",
  },
  {
    path: "clusters.<name>",
    type: "section",
    since,
    description:
      "Servers that do the same work. With `routes:` it is a web tier (it speaks to browsers), without it an app tier (it makes the content).",
  },
];

const serverSettings: readonly Setting[] = [
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
      "With `http:`: connections of each web server to it at once (`maxconn` of HAProxy, `max_conns` of nginx). More requests go to another server, or wait.",
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
    minimum: 0,
    maximum: 65_535,
    default: limits.upstream.waitingMax,
    description:
      "With `http:`: requests that wait, for at most `timeouts: { queue: }`, while all connections of all servers of the cluster are busy. One more is answered 503.",
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

const witnessSettings: readonly Setting[] = [
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

const listenSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.listen",
    type: "list",
    since,
    minimum: 1,
    maximum: 64,
    description:
      "Where each server of the cluster takes HTTP. A web tier needs it; app servers may have it too, for sites with a balancer of their own.",
  },
  {
    path: "clusters.<name>.listen[]",
    type: "section",
    since,
    oneOf: ["http", "https"],
    description: "One port.",
  },
  {
    path: "clusters.<name>.listen[].http",
    type: "endpoint",
    since,
    description: 'Port for HTTP on all addresses, or "address:port" for one ("[::1]:8080" with IPv6).',
  },
  {
    path: "clusters.<name>.listen[].https",
    type: "endpoint",
    since,
    description: "The same for HTTPS; it needs `tls:`.",
  },
  {
    path: "clusters.<name>.listen[].proxyProtocol",
    type: "flag",
    since,
    default: false,
    tier: "web",
    description:
      "Connections begin with a header of the PROXY protocol, version 1 or 2, by which a balancer in front names the client. Only from networks under `trust:`; all others are closed.",
  },
  {
    path: "clusters.<name>.listen[].http2",
    type: "flag",
    since,
    default: true,
    description: "Speak HTTP/2 with browsers that can, on `https:`. They choose it during the TLS handshake.",
  },
  {
    path: "clusters.<name>.listen[].tls",
    type: "list",
    since,
    orSingle: true,
    minimum: 1,
    maximum: limits.tls.certificatesMax,
    description:
      "Certificates for `https:`. A browser gets the one that names the host it asks for; the first one where none does. Changed files are taken up while the server runs.",
  },
  {
    path: "clusters.<name>.listen[].tls[]",
    type: "section",
    since,
    description: "A certificate and its key.",
  },
  {
    path: "clusters.<name>.listen[].tls[].cert",
    type: "file",
    since,
    required: true,
    description: "PEM file: the certificate, then those of the authorities between it and the root.",
  },
  {
    path: "clusters.<name>.listen[].tls[].key",
    type: "file",
    since,
    required: true,
    description: "PEM file: the private key of the certificate, without a passphrase.",
  },
  {
    path: "clusters.<name>.listen[].redirectTo",
    type: "choice",
    since,
    tier: "web",
    choices: ["https"],
    description:
      "With `http:`: every request for a host of the site is answered with 308 to the same address of the port of `https:`; none reaches an app server.",
  },
  {
    path: "clusters.<name>.listen[].hsts",
    type: "section",
    since,
    tier: "web",
    shortFor: "maxAge",
    description:
      "With `https:`: Strict-Transport-Security on every answer, in place of the application's own. Browsers that saw it use no plain HTTP any more.",
  },
  {
    path: "clusters.<name>.listen[].hsts.maxAge",
    type: "duration",
    since,
    required: true,
    minimum: 0,
    maximum: 3_650 * dayMs,
    description: "For how long they remember it. `0s` makes them forget.",
  },
  {
    path: "clusters.<name>.listen[].hsts.subdomains",
    type: "flag",
    since,
    default: false,
    description: "For all hosts below this one too.",
  },
  {
    path: "clusters.<name>.listen[].hsts.preload",
    type: "flag",
    since,
    default: false,
    description:
      "The site may be put on the browsers' own list (hstspreload.org), which wants `subdomains: true` and a year.",
  },
  {
    path: "clusters.<name>.listen[].clientCertificates",
    type: "section",
    since,
    tier: "web",
    description:
      "With `https:`: clients show a certificate. The application gets X-Client-Cert-Verified, X-Client-Cert-Subject and X-Client-Cert-Fingerprint; see docs/tls.md.",
  },
  {
    path: "clusters.<name>.listen[].clientCertificates.ca",
    type: "file",
    since,
    required: true,
    description: "PEM file: the authorities whose certificates are accepted.",
  },
  {
    path: "clusters.<name>.listen[].clientCertificates.mode",
    type: "choice",
    since,
    default: "required",
    choices: ["required", "optional"],
    description:
      "`required`: without a certificate there is no connection. `optional`: clients may have none, but no wrong one.",
  },
];

const routeSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.routes",
    type: "list",
    since,
    minimum: 1,
    maximum: 1_000,
    description: "What happens to which request. The first route that fits takes it.",
  },
  {
    path: "clusters.<name>.routes[]",
    type: "section",
    since,
    oneOf: ["to", "files", "redirect", "respond"],
    description:
      "One route: what it takes, what it does with it, and what else holds there. What is not named fits everything. See docs/routes.md.",
  },
  {
    path: "clusters.<name>.routes[].host",
    type: "hostPattern",
    since,
    description: "`shop.example.com`, or `*.example.com` for all names below it (not for `example.com`).",
  },
  {
    path: "clusters.<name>.routes[].path",
    type: "pathPattern",
    since,
    description:
      "`/foo` for that path alone, `/foo/*` for it and all below it, `*.png` or `/foo/*.{png,gif}` for names that end so; `*` stands for anything but `/`. Upper and lower case differ; the query does not count.",
  },
  {
    path: "clusters.<name>.routes[].pathRegex",
    type: "regex",
    since,
    description:
      "A regular expression (RE2's grammar, linear time) that is found somewhere in the path; `^` and `$` are its begin and end. An empty one takes everything. With `path:`, both must fit.",
  },
  {
    path: "clusters.<name>.routes[].method",
    type: "list",
    since,
    orSingle: true,
    minimum: 1,
    maximum: 32,
    description: "Methods that the route takes.",
  },
  {
    path: "clusters.<name>.routes[].method[]",
    type: "method",
    since,
    description: "A method. `GET` is not `HEAD`: name both where both are meant.",
  },
  {
    path: "clusters.<name>.routes[].header",
    type: "named",
    names: "fieldName",
    since,
    minimum: 1,
    maximum: 32,
    description: "Header fields that the request must have.",
  },
  {
    path: "clusters.<name>.routes[].header.<name>",
    type: "fieldValue",
    since,
    description: "The whole value, or `*` for any; lines of one name count as one, joined by `, `.",
  },
  {
    path: "clusters.<name>.routes[].query",
    type: "named",
    names: "parameterName",
    since,
    minimum: 1,
    maximum: 32,
    description: "Parameters that the query must have.",
  },
  {
    path: "clusters.<name>.routes[].query.<name>",
    type: "parameterValue",
    since,
    description:
      "The whole value without escapes, or `*` for any. Of a parameter that is there more than once the first counts.",
  },
  {
    path: "clusters.<name>.routes[].from",
    type: "list",
    since,
    orSingle: true,
    minimum: 1,
    maximum: 1_000,
    description: "Networks of clients that the route takes.",
  },
  {
    path: "clusters.<name>.routes[].from[]",
    type: "network",
    since,
    description: "An address or a network like `10.0.0.0/8`.",
  },
  {
    path: "clusters.<name>.routes[].to",
    type: "clusterName",
    since,
    description: "The cluster that answers.",
  },
  {
    path: "clusters.<name>.routes[].files",
    type: "section",
    shortFor: "folder",
    since,
    description:
      "The web tier sends files itself, to GET and HEAD. The whole path of the request is the file's name below the folder. Nothing is listed, nothing outside of the folder is sent, and no file whose name begins with a dot (but `.well-known` at its top).",
  },
  {
    path: "clusters.<name>.routes[].files.folder",
    type: "folder",
    since,
    required: true,
    description: "The folder, relative to this file.",
  },
  {
    path: "clusters.<name>.routes[].files.index",
    type: "list",
    since,
    orSingle: true,
    maximum: 8,
    description:
      "Files that stand for the folder they lie in, the first that is there. By default `index.html`.",
  },
  {
    path: "clusters.<name>.routes[].files.index[]",
    type: "fileName",
    since,
    description: "The name of a file.",
  },
  {
    path: "clusters.<name>.routes[].files.fallback",
    type: "filePath",
    since,
    description: "Sent where there is no such file, as single-page applications need it: `/index.html`.",
  },
  {
    path: "clusters.<name>.routes[].files.precompressed",
    type: "flag",
    since,
    default: false,
    description:
      "Sends `x.js.br`, `x.js.zst` or `x.js.gz` instead of `x.js` where they lie beside it and the browser takes them.",
  },
  {
    path: "clusters.<name>.routes[].files.followSymlinks",
    type: "flag",
    since,
    default: false,
    description:
      "Symbolic links are followed, wherever they lead. Without, a path with one in it is no file. The folder itself may be a link.",
  },
  {
    path: "clusters.<name>.routes[].files.cacheControl",
    type: "fieldValue",
    since,
    description: "The field Cache-Control of what is sent, such as `public, max-age=3600`.",
  },
  {
    path: "clusters.<name>.routes[].redirect",
    type: "section",
    shortFor: "to",
    since,
    description: "Sends the browser to another address.",
  },
  {
    path: "clusters.<name>.routes[].redirect.to",
    type: "template",
    since,
    required: true,
    description:
      "Where to: a path, or an address with `http://` or `https://`. `$1` to `$9` are what the groups of `pathRegex`, or the star of `path`, stood for; `$path` is the path, `$query` the query with its `?`, `$host` the host.",
  },
  {
    path: "clusters.<name>.routes[].redirect.status",
    type: "choice",
    since,
    choices: ["301", "302", "303", "307", "308"],
    default: "302",
    description:
      "`301` and `308` are for ever, `302` and `307` for now; 307 and 308 keep the method, 303 makes it GET.",
  },
  {
    path: "clusters.<name>.routes[].respond",
    type: "section",
    shortFor: "status",
    since,
    description: "Answers at once.",
  },
  {
    path: "clusters.<name>.routes[].respond.status",
    type: "integer",
    since,
    minimum: 200,
    maximum: 599,
    default: 200,
    description: "The status.",
  },
  {
    path: "clusters.<name>.routes[].respond.body",
    type: "body",
    since,
    default: "",
    description: "The body, sent as UTF-8.",
  },
  {
    path: "clusters.<name>.routes[].respond.type",
    type: "fieldValue",
    since,
    default: "text/plain; charset=utf-8",
    description: "Its Content-Type.",
  },
  {
    path: "clusters.<name>.routes[].sessionIdInPath",
    type: "flag",
    since,
    default: false,
    description:
      "`;jsessionid=` at the end of a path chooses the server of that letter or session, for clients under `sessionIdFrom:`. It never loads a session, and neither application nor log see it.",
  },
  {
    path: "clusters.<name>.routes[].compress",
    type: "flag",
    since,
    description: "Compress this route's answers, or not, whatever `compress:` of the cluster says.",
  },
  {
    path: "clusters.<name>.routes[].rewrite",
    type: "template",
    since,
    description:
      "The path that the application, or the folder of files, gets instead: `/new/$1`, with the same variables as `redirect`. The query stays unless the new path has one of its own.",
  },
  {
    path: "clusters.<name>.routes[].headers",
    type: "section",
    since,
    description: "Fields of requests and answers that are set, added or removed.",
  },
  ...fieldRules("request", "Of the request, before the application gets it."),
  ...fieldRules("response", "Of every answer of this route, error pages too."),
  {
    path: "clusters.<name>.routes[].timeout",
    type: "duration",
    since,
    minimum: 10,
    maximum: dayMs,
    description: "Instead of `timeouts.request`: the answer must begin.",
  },
  {
    path: "clusters.<name>.routes[].bodyMax",
    type: "sizeOrUnlimited",
    since,
    minimum: 0,
    maximum: 2 ** 46,
    description: "Instead of `limits.body`: a request's body. More is answered 413.",
  },
  {
    path: "clusters.<name>.routes[].buffer",
    type: "flag",
    since,
    default: false,
    description:
      "A request's body is taken whole, up to `bodyMax`, before the application gets any of it: who sends slowly keeps no app server busy. Longer ones wait on the disk, in the data folder.",
  },
  {
    path: "clusters.<name>.routes[].allow",
    type: "list",
    since,
    orSingle: true,
    minimum: 1,
    maximum: 1_000,
    description:
      "Networks of clients that may use the route. Others are answered 403; no later route is tried.",
  },
  {
    path: "clusters.<name>.routes[].allow[]",
    type: "network",
    since,
    description: "An address or a network like `10.0.0.0/8`.",
  },
  {
    path: "clusters.<name>.routes[].deny",
    type: "list",
    since,
    orSingle: true,
    minimum: 1,
    maximum: 1_000,
    description: "Networks of clients that may not, also where `allow` has them.",
  },
  {
    path: "clusters.<name>.routes[].deny[]",
    type: "network",
    since,
    description: "An address or a network like `10.0.0.0/8`.",
  },
  {
    path: "clusters.<name>.routes[].rateLimit",
    type: "section",
    shortFor: "rate",
    since,
    description:
      "How often one client may use the route. More is answered 429 with Retry-After. With IPv6 a client is its /64. Every worker process counts for itself.",
  },
  {
    path: "clusters.<name>.routes[].rateLimit.rate",
    type: "rate",
    since,
    required: true,
    description: "`10/s`, `100/m` or `1000/h`, evenly spread.",
  },
  {
    path: "clusters.<name>.routes[].rateLimit.burst",
    type: "integer",
    since,
    minimum: 1,
    maximum: 1_000_000,
    description: "So many at once. By default as many as `rate` names.",
  },
];

const clusterSettings: readonly Setting[] = [
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
    path: "clusters.<name>.balance",
    type: "choice",
    since,
    tier: "app",
    default: "round-robin",
    choices: ["round-robin", "least-connections"],
    plannedChoices: { "least-load": "least-connections" },
    description: "How requests without a session are spread over the servers of this cluster.",
  },
  {
    path: "clusters.<name>.sessions",
    type: "section",
    since,
    tier: "app",
    description:
      "The sessions of the applications in this cluster. `session()` uses the defaults without it.",
  },
  {
    path: "clusters.<name>.sessions.store",
    type: "choice",
    since,
    default: "cluster",
    choices: ["cluster"],
    description: "Where sessions live: `cluster`, in the memory of the app servers.",
  },
  {
    path: "clusters.<name>.sessions.durability",
    type: "choice",
    since,
    default: "backup",
    choices: ["memory", "backup"],
    description:
      "What an answered change survives. `backup`: the death of any one app server, for another one has a copy; needs two app servers, and three machines to be safe from a cut between them. `memory`: nothing; a session is on one app server and ends with it. See docs/sessions.md.",
  },
  {
    path: "clusters.<name>.sessions.cookie",
    type: "section",
    since,
    description: "The session cookie.",
  },
  {
    path: "clusters.<name>.sessions.cookie.name",
    type: "cookieName",
    since,
    default: "sid",
    description: "Its name (`name` of express-session). Two clusters reached on one host need two names.",
  },
  {
    path: "clusters.<name>.sessions.idleTimeout",
    type: "duration",
    since,
    minimum: 1_000,
    maximum: 3_650 * dayMs,
    default: limits.session.idleTimeoutMs,
    description: "A session that no request used for so long ends.",
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

const limitSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.limits",
    type: "section",
    since,
    tier: "web",
    description: "What a client may send. More is answered with 400, 413, 414 or 431, never cut short.",
  },
  {
    path: "clusters.<name>.limits.head",
    type: "size",
    since,
    minimum: 1_024,
    maximum: 49_152,
    default: limits.http.headBytesMax,
    description: "Request line and all fields together.",
  },
  {
    path: "clusters.<name>.limits.fields",
    type: "integer",
    since,
    minimum: 10,
    maximum: 1_000,
    default: limits.http.fieldsMax,
    description: "Fields of one request.",
  },
  {
    path: "clusters.<name>.limits.target",
    type: "size",
    since,
    minimum: 256,
    maximum: 32_768,
    default: limits.http.targetBytesMax,
    description: "The request's target: path and query.",
  },
  {
    path: "clusters.<name>.limits.body",
    type: "sizeOrUnlimited",
    since,
    minimum: 0,
    maximum: 2 ** 46,
    default: Number.POSITIVE_INFINITY,
    description: "A request's body. It is streamed and costs no memory, whatever its size.",
  },
  {
    path: "clusters.<name>.limits.connections",
    type: "integer",
    since,
    minimum: 1,
    maximum: 1_000_000,
    default: limits.http.connectionsMax,
    description: "Connections of browsers to one server; one more is closed at once.",
  },
  {
    path: "clusters.<name>.limits.streams",
    type: "integer",
    since,
    minimum: 1,
    maximum: 1_000,
    default: limits.http2.streamsMax,
    description: "Requests at a time on one HTTP/2 connection.",
  },
];

const timeoutSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.timeouts",
    type: "section",
    since,
    description: "How long to wait. Those towards app servers are set in the web tier.",
  },
  timeout("head", "web", limits.http.headTimeoutMs, "A request's head must be complete."),
  timeout(
    "bodySilence",
    "web",
    limits.http.bodySilenceTimeoutMs,
    "A request's body may pause between two bytes.",
  ),
  timeout(
    "keepAlive",
    "web",
    limits.http.keepAliveTimeoutMs,
    "A browser's connection may be idle between requests.",
  ),
  timeout(
    "writeSilence",
    "web",
    limits.http.writeSilenceTimeoutMs,
    "A client may take no byte of its answer, then it is cut off.",
  ),
  timeout("connect", "web", limits.upstream.connectTimeoutMs, "To open a connection to a plain HTTP server."),
  timeout(
    "upstreamIdle",
    "web",
    limits.upstream.idleTimeMs,
    "The web tier closes its idle connection to a plain HTTP server (well below that server's own keep-alive timeout).",
  ),
  timeout(
    "queue",
    "web",
    limits.upstream.queueTimeoutMs,
    "A request may wait for a connection while all those to the plain HTTP servers of its cluster are busy.",
  ),
  timeout(
    "recover",
    "web",
    limits.upstream.recoverTimeMs,
    "A plain HTTP server that could not be reached is tried again.",
  ),
  timeout(
    "request",
    "web",
    limits.upstream.requestTimeoutMs,
    "The answer to a valid request must begin; raise it for slow pages.",
  ),
  timeout(
    "socket",
    "web",
    limits.upstream.socketTimeoutMs,
    "An app server may be silent in the middle of its answer, or take no byte of an upload. The time before an answer begins is `request`; event streams and WebSockets may be silent for an hour.",
  ),
  timeout(
    "appKeepAlive",
    "app",
    limits.upstream.appKeepAliveTimeoutMs,
    "An app server that listens on HTTP keeps an idle connection, unless the application sets keepAliveTimeout itself.",
  ),
  timeout("drain", null, limits.supervise.drainTimeoutMs, "A server that stops lets its requests finish."),
  {
    ...timeout(
      "drainDelay",
      "web",
      0,
      "A web server that is told to stop takes requests for so long after `/readyz` has begun to fail: longer than a balancer in front needs to see that. 0: it stops at once.",
    ),
    minimum: 0,
  },
];

export const settings: readonly Setting[] = [
  ...fileSettings,
  ...serverSettings,
  ...witnessSettings,
  ...listenSettings,
  ...routeSettings,
  ...clusterSettings,
  ...limitSettings,
  ...timeoutSettings,
];

function fieldRules(message: "request" | "response", description: string): readonly Setting[] {
  const path = `clusters.<name>.routes[].headers.${message}`;
  const named = (key: string, text: string): readonly Setting[] => [
    {
      path: `${path}.${key}`,
      type: "named",
      names: "fieldName",
      since,
      minimum: 1,
      maximum: 64,
      description: text,
    },
    {
      path: `${path}.${key}.<name>`,
      type: "template",
      since,
      description: "The value; with the same variables as `redirect`.",
    },
  ];
  return [
    { path, type: "section", since, description },
    ...named("set", "Fields that are there with this value alone, whatever was there before."),
    ...named("add", "Fields that come in addition."),
    {
      path: `${path}.remove`,
      type: "list",
      since,
      orSingle: true,
      minimum: 1,
      maximum: 64,
      description: "Fields that do not stay.",
    },
    { path: `${path}.remove[]`, type: "fieldName", since, description: "The name of a field." },
  ];
}

function timeout(key: string, tier: "web" | "app" | null, defaultMs: number, description: string): Setting {
  return {
    path: `clusters.<name>.timeouts.${key}`,
    type: "duration",
    since,
    ...(tier === null ? {} : { tier }),
    minimum: 10,
    maximum: dayMs,
    default: defaultMs,
    description,
  };
}
