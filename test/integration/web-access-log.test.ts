/** The access log: one line per request, in each format, and nothing in it that a client could forge (A47). */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AccessLogSettings } from "../../src/config/model.ts";
import { accessLog } from "../../src/support/limits.ts";
import { type Log, silentLog } from "../../src/support/log.ts";
import { type AccessEntry, AccessLog } from "../../src/web-tier/access-log.ts";
import { Notes } from "../harness/link-pair.ts";
import { exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { webSite } from "../harness/web-site.ts";

/** What a log writes for these entries. */
async function written(
  t: TestContext,
  format: AccessLogSettings["format"],
  entries: readonly AccessEntry[],
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "made", "web-a.log");
  const log = new AccessLog(
    { path: join(folder, "made", "{server}.log"), format },
    "web-a",
    "web",
    silentLog,
  );
  for (const entry of entries) log.write(entry);
  await log.close();
  log.write(plain);
  return readFileSync(file, "utf8");
}

/** The access lines of these requests through a site. */
async function entriesOf(t: TestContext, requests: readonly string[]): Promise<readonly AccessEntry[]> {
  const origin = await RawOrigin.start(t, () => ok("body"));
  const web = await webSite(t, [origin.port]);
  for (const request of requests) {
    await exchange(web.port, request);
    await web.logged(requests.indexOf(request));
  }
  return web.log;
}

const plain: AccessEntry = {
  clientAddress: "192.0.2.1",
  clientPort: 1234,
  tls: "",
  method: "GET",
  target: "/",
  version: "1.1",
  host: "a",
  referer: "",
  userAgent: "",
  requestId: "x-1",
  status: 200,
  receivedBytes: 0,
  sentBytes: 0,
  headMs: 0,
  queueMs: 0,
  connectMs: 0,
  answerMs: 1,
  durationMs: 1,
  cluster: "app",
  server: "app-a",
  attempts: 1,
  ending: "--",
  reason: "",
};

/** What the parser lets through; control bytes it does not. */
const forgery = 'x" 200 1\t\x9b2J\\';
const requests = [
  `GET /shop/caf%C3%A9?q="[|] HTTP/1.1\r\nHost: Shop.example\r\nReferer: http://a/${forgery}\r\nUser-Agent: Mozilla/5.0 ${forgery}\r\nConnection: close\r\n\r\n`,
  "GET /%0a%0D%1b[2J HTTP/1.0\r\n\r\n",
  "GET /\x1b HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
];

test("A47 combined: as Apache writes it, odd bytes as \\xHH", async (t) => {
  const text = await written(t, "combined", await entriesOf(t, requests));
  assert.doesNotMatch(text, /[^\n\x20-\x7e]/);
  const lines = text.split("\n");
  assert.equal(lines.pop(), "");
  const stamp = /^127\.0\.0\.1 - - \[\d{2}\/[A-Z][a-z]{2}\/\d{4}:\d{2}:\d{2}:\d{2} \+0000\] /;
  for (const line of lines) assert.match(line, stamp);
  const odd = String.raw`x\x22 200 1\x09\x9B2J\x5C`;
  assert.deepEqual(
    lines.map((line) => line.replace(stamp, "")),
    [
      String.raw`"GET /shop/caf%C3%A9?q=\x22[|] HTTP/1.1" 200 4 "http://a/${odd}" "Mozilla/5.0 ${odd}"`,
      `"GET /%0A%0D%1B%5B2J HTTP/1.0" 200 4 "-" "-"`,
      ...lines.slice(2).map((line) => line.replace(stamp, "")),
    ],
  );
  for (const line of lines.slice(2)) assert.match(line, /"- - HTTP\/1\.1" 400 \d+ "-" "-"$/);
});

test("A47 JSON: one object per line, odd bytes as \\u00HH", async (t) => {
  const text = await written(t, "json", await entriesOf(t, requests));
  assert.doesNotMatch(text, /[^\n\x20-\x7e]/);
  const lines = text.trimEnd().split("\n");
  assert.equal(lines.length, requests.length);
  const [first, , , refused] = lines.map((line) => JSON.parse(line) as AccessEntry & { time: string });
  assert.equal(first!.userAgent, `Mozilla/5.0 ${forgery}`);
  assert.equal(first!.target, '/shop/caf%C3%A9?q="[|]');
  assert.equal(first!.host, "shop.example");
  assert.deepEqual([first!.status, first!.sentBytes, first!.server, first!.attempts], [200, 4, "app-a", 1]);
  assert.ok(first!.durationMs >= 0 && first!.durationMs < 10_000);
  assert.match(first!.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual([refused!.status, refused!.server, refused!.attempts], [400, "", 0]);
  assert.notEqual(refused!.reason, "");
});

/** The layout of HAProxy's manual, section 8.2.3: numbers of fields as there, from 3 (the client) on. */
const httpLog = new RegExp(
  [
    String.raw`^(?<client>[\da-f.:]+):(?<port>\d+)`,
    String.raw`\[(?<date>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3})\]`,
    String.raw`(?<frontend>\S+) (?<backend>[^/ ]+)/(?<server>\S+)`,
    String.raw`(?<head>-?\d+)/(?<queue>-?\d+)/(?<connect>-?\d+)/(?<response>-?\d+)/(?<active>\+?\d+)`,
    String.raw`(?<status>-?\d+) (?<bytes>\+?\d+) - - (?<ending>[-A-Za-z]{4})`,
    String.raw`(?<actconn>\d+)/(?<feconn>\d+)/(?<beconn>\d+)/(?<srvconn>\d+)/(?<retries>\+?\d+) \d+/\d+`,
    `"(?<request>.*)"$`,
  ].join(" "),
);

test("A47 httplog: as HAProxy writes it, odd bytes as #HH", async (t) => {
  const text = await written(t, "httplog", await entriesOf(t, requests));
  assert.doesNotMatch(text, /[^\n\x20-\x7e]/);
  const lines = text.trimEnd().split("\n");
  const parsed = lines.map((line) => httpLog.exec(line)!.groups!);
  assert.equal(parsed.length, requests.length);
  const [first, second, , refused] = parsed;
  assert.equal(first!.request, "GET /shop/caf%C3%A9?q=#22[|] HTTP/1.1");
  assert.equal(second!.request, "GET /%0A%0D%1B%5B2J HTTP/1.0");
  assert.deepEqual(
    [first!.client, first!.frontend, first!.backend, first!.server, first!.status, first!.bytes],
    ["127.0.0.1", "web", "app", "app-a", "200", "4"],
  );
  assert.deepEqual([first!.ending, first!.queue, first!.retries], ["----", "0", "0"]);
  assert.ok(
    Math.abs(Date.parse(`${first!.date!.replace(":", " ").replaceAll("/", " ")}Z`) - Date.now()) < 60_000,
  );
  const { request, ending, backend, server, head, status } = refused!;
  assert.deepEqual(
    { request, ending, backend, server, head, status },
    { request: "<BADREQ>", ending: "PR--", backend: "web", server: "<NOSRV>", head: "-1", status: "400" },
  );
});

test("where the time went: head, connection, answer", async (t) => {
  const origin = await RawOrigin.start(t, (connection, head) => {
    if (head.startsWith("GET /never")) return null;
    setTimeout(() => connection.send(ok("late")), 60);
    return null;
  });
  const routes = [{ path: "/never", to: "app", timeoutMs: 50 }, { to: "app" }];
  const web = await webSite(t, [origin.port], { routes });
  const client = await RawClient.open(web.port);
  client.send("GET /never HTTP/1.1\r\nHo");
  await sleep(40);
  client.send("st: a\r\n\r\n");
  assert.equal((await client.answer()).status, 504);
  const gaveUp = await web.logged(0);
  assert.ok(gaveUp.headMs >= 30, `${gaveUp.headMs} ms for the head`);
  assert.deepEqual([gaveUp.ending, gaveUp.answerMs, gaveUp.status], ["sH", -1, 504]);
  assert.ok(gaveUp.connectMs > 0 && gaveUp.durationMs >= gaveUp.headMs + 50);
  client.send("GET /late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  assert.equal((await client.answer()).body, "late");
  const late = await web.logged(1);
  assert.equal(late.headMs, 0);
  assert.ok(late.answerMs >= 50 && late.answerMs <= late.durationMs, `${late.answerMs} ms for the answer`);
});

test("who ended it", async (t) => {
  const origin = await RawOrigin.start(t, (connection, head) => {
    if (head.startsWith("GET /wait")) return null;
    if (head.startsWith("GET /half")) return "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
    if (head.startsWith("GET /wrong")) return "HTTP/9.9 what\r\n\r\n";
    connection.destroy();
    return null;
  });
  const web = await webSite(t, [origin.port]);
  const endingOf = async (at: number): Promise<string> => (await web.logged(at)).ending;
  const wrong = await exchange(web.port, "GET /wrong HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  assert.match(wrong, /^HTTP\/1\.1 502 /);
  assert.equal(await endingOf(0), "PH");
  await exchange(web.port, "POST /cut HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  assert.equal(await endingOf(1), "SH");
  const impatient = await RawClient.open(web.port);
  impatient.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  await origin.arrived(/GET \/wait/);
  impatient.socket.resetAndDestroy();
  assert.equal(await endingOf(2), "CH");
  const early = await RawClient.open(web.port);
  early.send("GET /half HTTP/1.1\r\nHost: a\r\n\r\n");
  await early.read(/half/);
  early.socket.resetAndDestroy();
  assert.equal(await endingOf(3), "CD");
});

test("reopen: after the file was renamed lines go on in a new one, none is lost", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "access.log");
  const log = new AccessLog({ path: file, format: "combined" }, "web-a", "web", silentLog);
  let target = 0;
  const writeSome = (): void => {
    for (const end = target + 2_000; target < end; target++) log.write({ ...plain, target: `/${target}` });
  };
  writeSome();
  for (const name of ["first", "second"]) {
    renameSync(file, join(folder, name));
    writeSome();
    log.reopen();
    writeSome();
    // A second time before the old one is written: it is done when that is over.
    while (!existsSync(file)) await new Promise((resolve) => setImmediate(resolve));
  }
  writeSome();
  await log.close();
  const text = ["first", "second", "access.log"].map((name) => readFileSync(join(folder, name), "utf8"));
  for (const part of text) assert.notEqual(part, "");
  assert.deepEqual(
    [...text.join("").matchAll(/"GET \/(\d+) /g)].map((found) => Number(found[1])),
    Array.from({ length: target }, (_none, at) => at),
  );
});

test("reopen: when no new file can be had, the old one is written on", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "log", "access.log");
  const told: string[] = [];
  const teller = { ...silentLog, error: (text: string) => told.push(text) } as unknown as Log;
  const log = new AccessLog({ path: file, format: "combined" }, "web-a", "web", teller);
  renameSync(join(folder, "log"), join(folder, "moved"));
  writeFileSync(join(folder, "log"), "");
  log.reopen();
  log.write(plain);
  await log.close();
  assert.match(told.join(), /^the access log .* can't be opened: /);
  assert.match(readFileSync(join(folder, "moved", "access.log"), "utf8"), /^192\.0\.2\.1 /);
});

test("A47 whatever a field holds, a line is a line", async (t) => {
  const every = Array.from({ length: 256 }, (_none, at) => String.fromCharCode(at)).join("");
  const entry = { ...plain, target: every, referer: every, userAgent: every };
  for (const format of ["combined", "json", "httplog"] as const)
    assert.match(await written(t, format, [entry, entry]), /^([\x20-\x7e]+\n){2}$/);
});

test("a log that can't be opened is an error at start, in words", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "file"), "");
  const settings = { path: join(folder, "file", "access.log"), format: "json" } as const;
  assert.throws(() => new AccessLog(settings, "web-a", "web", silentLog), {
    code: "FLOTILLA_ACCESS_LOG_FAILED",
    message: /^the access log .*access\.log can't be opened: E/,
  });
});

test("a full disk is told once, not with every line", async () => {
  const told = new Notes<string>();
  const tell = (text: string): void => told.add(text);
  const log = { ...silentLog, error: tell, warn: tell } as unknown as Log;
  const access = new AccessLog({ path: "/dev/full", format: "combined" }, "web-a", "web", log);
  // Too long to be gathered: it is written at once.
  const long = { ...plain, target: `/${"x".repeat(accessLog.gatherBytes)}` };
  access.write(long);
  assert.equal(await told.at(0), "access log /dev/full: ENOSPC: no space left on device, write");
  access.write(long);
  await access.close();
  assert.equal(told.all.length, 1);
});

test("a thousand lines in order, none lost", async (t) => {
  const many = Array.from({ length: 1_000 }, (_none, at) => ({ ...plain, target: `/${at}` }));
  const text = await written(t, "combined", many);
  assert.deepEqual(
    [...text.matchAll(/"GET \/(\d+) /g)].map((found) => Number(found[1])),
    many.map((_none, at) => at),
  );
});
