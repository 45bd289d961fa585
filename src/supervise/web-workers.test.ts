/** What workers are told, and when: with a program in the place of a worker that says what it hears. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/harness/process.ts";
import type { Cluster, ClusterFile } from "../config/model.ts";
import { silentLog } from "../support/log.ts";
import { ListeningSockets } from "./listening-sockets.ts";
import { NewsBoard } from "./news-board.ts";
import { WebWorkers } from "./web-workers.ts";

/** The first takes requests at once; one of an upgrade when it has heard of a server, and its URL is what it heard. */
const program = `
const ready = (url, file) => process.send({ kind: "ready", urls: [url], file });
let file;
process.on("message", (message) => {
  if (message.kind === "begin") file = message.file;
  if (message.kind === "begin" && file !== null) ready("first", file);
  if (message.kind === "servers" && file === null) ready(message.news[0].name + " " + message.news[0].order, { clusters: new Map() });
  if (message.kind === "drain") process.exit(0);
});
process.on("disconnect", () => process.exit(0));
`;

test("workers that an upgrade has begun hear what is said while they do", { timeout: 20_000 }, async (t) => {
  const folder = temporaryFolder(t, { "worker.cjs": program });
  const news = new NewsBoard();
  const timeouts = { drainTimeoutMs: 1_000 };
  const cluster = { name: "web", workers: 1, listen: [], accessLog: { path: null }, timeouts };
  const workers = new WebWorkers({
    file: { clusters: new Map([["web", cluster]]) } as unknown as ClusterFile,
    cluster: cluster as unknown as Cluster,
    command: [join(folder, "worker.cjs")],
    ...{ sockets: new ListeningSockets([]), news, log: silentLog },
  });
  t.after(() => workers.drain());
  await workers.begin();
  const upgraded = workers.upgrade();
  news.update("app-a", { order: "drain" });
  await upgraded;
  assert.deepEqual(workers.urls, ["app-a drain"]);
});
