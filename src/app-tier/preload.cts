/**
 * The preload of `run:` programs (NODE_OPTIONS=--require): lets a program that knows nothing of Flotilla listen on the
 * cluster port (attach.ts). It comes into every Node process below `run:`, npm and build steps too, so it loads nothing
 * and changes one function, `listen`, which looks for more only when an http.Server calls it.
 *
 * CommonJS by `--require`, because `--import` costs each of these processes ten times as much, and moves a CommonJS
 * program into the loader of ES modules, where its ticks and its uncaught errors come in another order.
 */
type Server = import("node:net").Server;
type Listen = (this: Server, ...args: unknown[]) => Server;
type AttachModule = typeof import("./attach.ts", { with: { "resolution-mode": "import" }});

const net = require("node:net") as typeof import("node:net");

const plainListen = net.Server.prototype.listen as Listen;
/** package.json says the same. */
const oldestNode = [22, 13] as const;

net.Server.prototype.listen = function listen(this: Server, ...args: unknown[]): Server {
  if (isWanted(this)) return library().listen(this, args, plainListen, __filename);
  if (isOnPort(args)) library().refuseOtherKind();
  return plainListen.apply(this, args);
} as typeof net.Server.prototype.listen;

function isWanted(server: Server): boolean {
  if (!process.env.FLOTILLA_SERVER) return false;
  const http = require("node:http") as typeof import("node:http");
  const https = require("node:https") as typeof import("node:https");
  if (!(server instanceof http.Server || server instanceof https.Server)) return false;
  return (require("node:worker_threads") as typeof import("node:worker_threads")).isMainThread;
}

/** Of a server of another kind: PORT is the cluster port, which it would take from us. */
function isOnPort([first]: unknown[]): boolean {
  const { PORT, FLOTILLA_SERVER } = process.env;
  if (!PORT || !FLOTILLA_SERVER) return false;
  const port = typeof first === "object" && first !== null ? (first as { port?: unknown }).port : first;
  return String(port) === PORT;
}

/**
 * That copy of Flotilla which the program itself imports, if it does: its sessions live there. Else the one that started it.
 */
function library(): AttachModule {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
    process.stderr.write(
      `${process.env.FLOTILLA_SERVER} can't be attached to its cluster port: its program runs on Node ${process.versions.node} ` +
        `(${process.execPath}), and Flotilla needs ${oldestNode.join(".")}; use that, or write \`attach: false\`\n`,
    );
    process.exit(1);
  }
  const path = require("node:path") as typeof import("node:path");
  const fs = require("node:fs") as typeof import("node:fs");
  const root = path.join(__dirname, "..", "..", path.sep);
  const imported = resolved("flotilla/app", [path.dirname(process.argv[1] ?? "."), process.cwd()]);
  const theirs = path.join(path.dirname(imported), "attach.js");
  const isAnother = imported !== "" && !imported.startsWith(root) && fs.existsSync(theirs);
  return require(isAnother ? theirs : path.join(__dirname, `attach${ownEnding()}`)) as AttachModule;
}

/** Not by our own `require.resolve`: to it, the name of our own package is ours. */
function resolved(name: string, folders: readonly string[]): string {
  const { createRequire } = require("node:module") as typeof import("node:module");
  for (const folder of folders) {
    try {
      return createRequire(`${folder}/`).resolve(name);
    } catch {
      // Not from there.
    }
  }
  return "";
}

/** The sources run as they are, too. */
function ownEnding(): string {
  return __filename.endsWith(".cts") ? ".ts" : ".js";
}
