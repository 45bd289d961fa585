/** Thousands of requests with random ends, from a seed: nothing is left behind, and everybody gets an own answer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { linkApp } from "../harness/link-app.ts";
import { ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { type WebSite, webSite } from "../harness/web-site.ts";

const seed = Number(process.env.TEST_SEED ?? 20_261_121);

/** mulberry32 */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Random = () => number;
const pick = <Item>(random: Random, items: readonly Item[]): Item =>
  items[Math.floor(random() * items.length)]!;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One client: some requests, one after the other or pipelined, perhaps an early end. @returns how many it sent. */
async function visit(web: WebSite, random: Random, name: string): Promise<number> {
  const client = await RawClient.open(web.port);
  const count = 1 + Math.floor(random() * 12);
  const pipelined = random() < 0.3;
  for (let at = 0; at < count; at++) {
    const path = `/${name}-${at}`;
    const kind = pick(random, [
      "get",
      "get",
      "get",
      "get",
      "get",
      "get",
      "post",
      "post",
      "chunked",
      "chunked",
      "half",
    ]);
    if (kind === "get") client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    if (kind === "post") client.send(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`);
    if (kind === "chunked")
      client.send(
        `PUT ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
      );
    if (kind === "half") {
      client.send(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhello`);
      await turn();
      if (random() < 0.5) client.socket.resetAndDestroy();
      else client.end();
      return at + 1;
    }
    if (random() < 0.05) {
      for (let turns = random() * 4; turns > 0; turns--) await turn();
      client.socket.resetAndDestroy();
      return at + 1;
    }
    if (pipelined) continue;
    const answer = await client.answer();
    // An answer may fail or break off, but it is never another's.
    if (answer.status === 200) assert.ok(answer.body === path || answer.body === "half", answer.body);
    else assert.ok([502, 503].includes(answer.status) || Number.isNaN(answer.status), answer.head);
    if (client.closed) break;
  }
  if (random() < 0.5) client.end();
  else client.destroy();
  return count;
}

async function churn(web: WebSite, requests: number): Promise<void> {
  const random = randomOf(seed);
  let sent = 0;
  const visitor = async (name: string): Promise<void> => {
    for (let visits = 0; sent < requests; visits++) {
      const count = await visit(web, random, `${name}.${visits}`);
      sent += count;
    }
  };
  await Promise.all(Array.from({ length: 20 }, (_none, at) => visitor(`v${at}`)));
}

test(`5,000 requests to plain servers that fail at random (seed ${seed})`, async (t) => {
  const random = randomOf(seed + 1);
  const origin = (): Promise<RawOrigin> =>
    RawOrigin.start(t, (connection, head) => {
      const path = head.split(" ")[1]!;
      const dice = random();
      if (dice < 0.02) connection.socket.resetAndDestroy();
      else if (dice < 0.1) {
        if (dice < 0.04) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf");
        else if (dice < 0.06) connection.send("nonsense\r\n\r\n");
        else if (dice < 0.08) connection.send(ok(path, "Connection: close\r\n"));
        connection.end();
      } else if (dice < 0.3) setImmediate(() => connection.send(ok(path)));
      else return ok(path);
      return null;
    });
  const web = await webSite(t, [(await origin()).port, (await origin()).port, (await origin()).port]);
  await churn(web, 5_000);
  await web.close();
  assert.ok(web.log.length >= 3_000, `${web.log.length} requests`);
  assert.ok(web.log.filter((entry) => entry.status === 200).length > web.log.length / 2);
});

test(`5,000 requests over links to applications that fail at random (seed ${seed})`, async (t) => {
  const random = randomOf(seed + 2);
  const app = (name: string) =>
    linkApp(t, name, (req, res) => {
      const dice = random();
      if (dice < 0.02) req.socket.destroy();
      else if (dice < 0.04)
        res.writeHead(200, { "Content-Length": 1_000 }).write("half", () => res.destroy());
      else if (dice < 0.3) setImmediate(() => res.end(req.url));
      else res.end(req.url);
    });
  const web = await webSite(t, [(await app("app-a")).port, (await app("app-b")).port], { link: true });
  await churn(web, 5_000);
  await web.close();
  assert.ok(web.log.filter((entry) => entry.status === 200).length > web.log.length / 2);
});
