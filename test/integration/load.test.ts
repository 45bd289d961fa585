/** R44, R68: app servers tell web servers how busy they are, and it shows. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { type Link, StreamKind } from "../../src/link/api.ts";
import { dialOnce } from "../../src/link/dialer.ts";
import { linkKeys } from "../../src/link/keys.ts";
import { LoadFigures } from "../../src/load/figures.ts";
import { readLoad } from "../../src/load/report-reader.ts";
import { silentLog } from "../../src/support/log.ts";
import { clusterFolder, testSecret } from "../harness/cluster-folder.ts";
import { linkApp, rawLinkApp } from "../harness/link-app.ts";
import { start, until } from "../harness/process.ts";
import { RawClient } from "../harness/raw.ts";
import { webSite } from "../harness/web-site.ts";

test("a web server knows what others have sent to an app server", async (t) => {
  const answers: ServerResponse[] = [];
  const app = await linkApp(t, "app-a", (_req, res) => {
    if (answers.push(res) === 3) for (const answer of answers) answer.flushHeaders();
  });
  const one = await webSite(t, [app.port], { link: true });
  const other = await webSite(t, [app.port], { link: true });
  const clients: RawClient[] = [];
  for (const web of [one, one, other]) {
    const client = await RawClient.open(web.port);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    clients.push(client);
  }
  const [seenByOne, seenByOther] = [one.upstreams[0]!, other.upstreams[0]!];
  await until(
    "both have heard",
    () => seenByOne.inFlightElsewhere === 1 && seenByOther.inFlightElsewhere === 2,
  );
  assert.deepEqual([seenByOne.inFlight, seenByOther.inFlight], [2, 1]);
  assert.match(seenByOne.load.inWords, /3 requests in flight/);
  for (const answer of answers) answer.end();
  for (const client of clients) await client.answer();
  await until("it is over", () => seenByOne.inFlightElsewhere + seenByOther.inFlightElsewhere === 0);
  await app.close();
  await until("nothing is known of a server that is gone", () => seenByOne.load.record === null);
});

test("an app server of an older release takes requests as before", async (t) => {
  const port = await rawLinkApp(t, (stream) => {
    stream.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    stream.end();
  });
  const web = await webSite(t, [port], { link: true });
  const client = await RawClient.open(web.port);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await client.answer()).status, 200);
  const [app] = web.upstreams;
  assert.deepEqual([app!.load.record, app!.slowness, app!.inFlightElsewhere], [null, 1, 0]);
});

test("who shares its core with busy neighbours is found slow, whatever the others are", async (t) => {
  const { config, appPorts } = await clusterFolder(t, { apps: 2, web: true, run: null });
  const application = join(import.meta.dirname, "fixtures", "working-app.ts");
  const servers = await Promise.all(
    appPorts.map(async (port, at) => {
      const name = `app-${"ab"[at]}`;
      const words = at === 0 ? ["-c", "0", process.execPath, application] : [application];
      const env = { FLOTILLA_SERVER: name, FLOTILLA_CONFIG: config };
      await start(t, at === 0 ? "taskset" : process.execPath, words, { env }).line(/^serving/);
      const link = await dialOnce({
        self: { name: "web-a", incarnation: "test" },
        ...{ expected: name, address: "127.0.0.1", port, keys: linkKeys(Buffer.from(testSecret), null) },
        ...{ services: new Map(), log: silentLog, timeoutMs: 10_000 },
      });
      t.after(() => link.destroy("the test is over"));
      const figures = new LoadFigures();
      t.after(() => figures.forget());
      readLoad(link, (record) => figures.update(record, 0));
      return { link, figures };
    }),
  );
  let isOver = false;
  const visitors = servers.map(async ({ link }) => {
    while (!isOver) await ask(link);
  });
  const [shared, other] = servers.map(({ figures }) => figures) as [LoadFigures, LoadFigures];
  for (let count = 0; count < 4; count++)
    start(t, "taskset", ["-c", "0", process.execPath, "-e", "for (;;);"]);
  await until("it is slow", () => shared.slowness > 2 && shared.slowness > other.slowness);
  assert.match(shared.inWords, /times its usual time: waits \d\d% of the time that it wants a CPU/);
  isOver = true;
  await Promise.all(visitors);
});

function ask(link: Link): Promise<void> {
  const head = ["GET", "/", "1.1", "http", "192.0.2.9", "1", "127.0.0.1", "80", "", "Host", "a.test"];
  return new Promise((resolve, reject) => {
    link.open(StreamKind.http, head.join("\n"), true, {
      onData: (stream, bytes) => stream.consumed(bytes.length),
      onEnd: () => resolve(),
      onReset: (_stream, _code, message) => reject(new Error(message)),
      onDrain() {},
    });
  });
}
