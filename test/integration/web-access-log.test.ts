/** The access log: one line per request, in both formats, and nothing in it that a client could forge (A47). */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { accessLog } from "../../src/support/limits.ts";
import { type Log, silentLog } from "../../src/support/log.ts";
import { type AccessEntry, AccessLog } from "../../src/web-tier/access-log.ts";
import { Notes } from "../harness/link-pair.ts";
import { exchange, ok, RawOrigin } from "../harness/raw.ts";
import { webSite } from "../harness/web-site.ts";

/** What a log writes for these entries. */
async function written(
  t: TestContext,
  format: "combined" | "json",
  entries: readonly AccessEntry[],
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "made", "web-a.log");
  const log = new AccessLog({ path: join(folder, "made", "{server}.log"), format }, "web-a", silentLog);
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
  method: "GET",
  target: "/",
  versionMinor: 1,
  host: "a",
  referer: "",
  userAgent: "",
  requestId: "x-1",
  status: 200,
  sentBytes: 0,
  durationMs: 1,
  server: "app-a",
  attempts: 1,
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

test("A47 whatever a field holds, a line is a line", async (t) => {
  const every = Array.from({ length: 256 }, (_none, at) => String.fromCharCode(at)).join("");
  const entry = { ...plain, target: every, referer: every, userAgent: every };
  for (const format of ["combined", "json"] as const)
    assert.match(await written(t, format, [entry, entry]), /^([\x20-\x7e]+\n){2}$/);
});

test("a log that can't be opened is an error at start, in words", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "file"), "");
  const settings = { path: join(folder, "file", "access.log"), format: "json" } as const;
  assert.throws(() => new AccessLog(settings, "web-a", silentLog), {
    code: "FLOTILLA_ACCESS_LOG_FAILED",
    message: /^the access log .*access\.log can't be opened: E/,
  });
});

test("a full disk is told once, not with every line", async () => {
  const told = new Notes<string>();
  const tell = (text: string): void => told.add(text);
  const log = { ...silentLog, error: tell, warn: tell } as unknown as Log;
  const access = new AccessLog({ path: "/dev/full", format: "combined" }, "web-a", log);
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
