/** The action `files` on real folders: what is sent, what is not, and that nothing outside of a folder ever is. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { FilesSettings } from "../../src/config/model.ts";
import { parseTemplate } from "../../src/config/template.ts";
import { files as limits } from "../../src/support/limits.ts";
import { ask as askHttp2, http2Session } from "../harness/http2.ts";
import { ok, type RawAnswer, RawClient, RawOrigin } from "../harness/raw.ts";
import { tlsSettings } from "../harness/tls.ts";
import { type WebSite, webSite } from "../harness/web-site.ts";

const plain = {
  index: ["index.html"],
  fallback: null,
  precompressed: false,
  followSymlinks: false,
  cacheControl: null,
};
const changedAt = new Date(Date.UTC(2026, 10, 21, 10, 0, 0));

/** A folder with these files; "@x" makes a link to x. */
function folderWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "flotilla-files-")));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    if (text.startsWith("@")) symlinkSync(text.slice(1), path);
    else {
      writeFileSync(path, text);
      utimesSync(path, changedAt, changedAt);
    }
  }
  return folder;
}

function site(t: TestContext, folder: string, settings: Partial<FilesSettings> = {}): Promise<WebSite> {
  return webSite(t, [], { routes: [{ files: { ...plain, folder, ...settings } }] });
}

async function ask(web: WebSite, target: string, fields = "", method = "GET"): Promise<RawAnswer> {
  const client = await RawClient.open(web.port);
  client.send(`${method} ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  const answer = await client.answer(method);
  client.destroy();
  return answer;
}

test("R18 a file with its type, length, dates and tag; HEAD; conditions; ranges", async (t) => {
  const web = await site(t, folderWith(t, { "a/x.css": "0123456789", "empty.txt": "" }), {
    cacheControl: "public, max-age=60",
  });
  const whole = await ask(web, "/a/x.css?v=3");
  assert.deepEqual([whole.status, whole.body, whole.framing], [200, "0123456789", "length"]);
  assert.equal(whole.field("content-type"), "text/css; charset=utf-8");
  assert.equal(whole.field("last-modified"), "Sat, 21 Nov 2026 10:00:00 GMT");
  assert.equal(whole.field("cache-control"), "public, max-age=60");
  assert.equal(whole.field("accept-ranges"), "bytes");
  assert.equal(whole.field("vary"), undefined);
  const etag = whole.field("etag")!;
  assert.match(etag, /^"[a-z0-9]+-a"$/);

  const headOnly = await ask(web, "/a/x.css", "", "HEAD");
  assert.deepEqual([headOnly.status, headOnly.field("content-length")], [200, "10"]);
  const unchanged = await ask(web, "/a/x.css", `If-None-Match: ${etag}\r\n`);
  assert.deepEqual([unchanged.status, unchanged.field("etag")], [304, etag]);
  assert.equal(unchanged.field("content-length"), undefined);
  assert.equal((await ask(web, "/a/x.css", 'If-Match: "other"\r\n')).status, 412);

  const part = await ask(web, "/a/x.css", "Range: bytes=2-4\r\n");
  assert.deepEqual([part.status, part.body, part.field("content-range")], [206, "234", "bytes 2-4/10"]);
  const none = await ask(web, "/a/x.css", "Range: bytes=10-\r\n");
  assert.deepEqual([none.status, none.field("content-range")], [416, "bytes */10"]);
  const empty = await ask(web, "/empty.txt");
  assert.deepEqual([empty.status, empty.body, empty.field("content-length")], [200, "", "0"]);
  // The same again, now that it is kept.
  for (let count = 0; count < 3; count++) assert.equal((await ask(web, "/a/x.css")).body, "0123456789");
  assert.equal((await ask(web, "/a/x.css", "Range: bytes=-1\r\n")).body, "9");
});

test("A4 other methods are refused with what is allowed, and their bodies are no requests", async (t) => {
  const web = await site(t, folderWith(t, { "x.txt": "x" }));
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
    const answer = await ask(web, "/x.txt", "Content-Length: 0\r\n", method);
    assert.deepEqual([answer.status, answer.field("allow")], [405, "GET, HEAD"]);
  }
  const client = await RawClient.open(web.port);
  const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  client.send(`GET /x.txt HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`);
  client.send("GET /x.txt HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await client.answer()).body, "x");
  assert.equal((await client.answer()).body, "x");
  client.destroy();
  assert.equal(web.log.length, 7);
});

test("a folder: its index, with the slash; nothing is listed", async (t) => {
  const web = await site(t, folderWith(t, { "index.html": "root", "a/start.htm": "a", "b/x": "b" }), {
    index: ["index.html", "start.htm"],
  });
  assert.equal((await ask(web, "/")).body, "root");
  assert.equal((await ask(web, "/a/")).body, "a");
  const moved = await ask(web, "/a?q=1");
  assert.deepEqual([moved.status, moved.field("location")], [301, "/a/?q=1"]);
  assert.equal((await ask(web, "//a")).field("location"), "/a/");
  for (const target of ["/b/", "/index.html/", "/nothing", "/nothing/", "/index.html/x"])
    assert.equal((await ask(web, target)).status, 404, target);
});

test("a rewritten path is the file's, the redirect to a folder is the visitor's", async (t) => {
  const folder = folderWith(t, { "pub/docs/index.html": "docs", "pub/x": "x" });
  const files = { ...plain, folder };
  const web = await webSite(t, [], {
    routes: [
      { path: "/static/*", rewrite: parseTemplate("/pub/$1"), files },
      { path: "/d/*", rewrite: parseTemplate("/pub/docs"), files },
    ],
  });
  assert.equal((await ask(web, "/static/x")).body, "x");
  assert.equal((await ask(web, "/static/docs")).field("location"), "/static/docs/");
  assert.equal((await ask(web, "/static/docs/")).body, "docs");
  // Rewritten to a path without a slash: no loop.
  assert.equal((await ask(web, "/d/")).body, "docs");
  assert.equal((await ask(web, "/pub/x")).status, 404);
});

test("a single-page application: what is no file is its page", async (t) => {
  const web = await site(t, folderWith(t, { "index.html": "app", "main.js": "js" }), {
    fallback: "/index.html",
  });
  assert.equal((await ask(web, "/orders/17")).body, "app");
  assert.equal((await ask(web, "/main.js")).body, "js");
  assert.equal((await ask(web, "/.env")).body, "app");
  const gone = await site(t, folderWith(t, {}), { fallback: "/index.html" });
  assert.equal((await ask(gone, "/x")).status, 404);
});

test("A21 no way out: dot segments, escapes, links, dot files, odd names", async (t) => {
  const outside = folderWith(t, { secret: "secret" });
  const web = await site(
    t,
    folderWith(t, {
      "in.txt": "in",
      ".env": "password",
      ".git/config": "config",
      ".well-known/x": "known",
      "link-out": `@${outside}/secret`,
      "link-in": "@in.txt",
      "link-folder": `@${outside}`,
      "link-loop": "@link-loop",
      "link-up": "@..",
      "d/in.txt": "in",
      "d/link": "@../in.txt",
    }),
  );
  const name = outside.slice(outside.lastIndexOf("/") + 1);
  const nothing = [
    ["/link-out", "/link-in", "/link-folder/secret", "/link-folder/", "/link-loop", "/d/link"],
    [`/link-up/${name}/secret`, "/.env", "/.git/config", "/%2eenv", "/d/%2e%2fin.txt", "/.well-known"],
    [
      `/d/..%2f..%2f${name}/secret`,
      "/d%5c..%5cin.txt",
      "/IN.TXT",
      "/in.txt%20",
      "/in.txt/",
      "/in.txt::$DATA",
    ],
    [`/${"x".repeat(300)}`, `/${"x/".repeat(2_000)}`, "/%ff", "/in%0atxt"],
  ].flat();
  for (const target of nothing) {
    const answer = await ask(web, target);
    assert.ok(answer.status === 404 || answer.status === 400, `${target} ${answer.status}`);
    assert.doesNotMatch(answer.body, /secret|password|config/);
  }
  for (const target of [`/../${name}/secret`, "/%2e%2e/x", "/in.txt%00.html", "/d/../../x"])
    assert.equal((await ask(web, target)).status, 400, target);
  assert.equal((await ask(web, "/d/../in.txt")).body, "in");
  assert.equal((await ask(web, "/.well-known/x")).body, "known");
});

test("links are followed where the file says so, and the folder itself may be one at any time", async (t) => {
  const folder = folderWith(t, { "one/x": "one", "two/x": "two", now: "@one", "one/link": "@x" });
  const web = await site(t, join(folder, "now"));
  assert.equal((await ask(web, "/x")).body, "one");
  assert.equal((await ask(web, "/link")).status, 404);
  symlinkSync("two", join(folder, "next"));
  renameSync(join(folder, "next"), join(folder, "now"));
  const until = performance.now() + 5 * limits.recheckMs;
  let body = "";
  while (body !== "two" && performance.now() < until) body = (await ask(web, "/x")).body;
  assert.equal(body, "two");
  const following = await site(t, join(folder, "one"), { followSymlinks: true });
  assert.equal((await ask(following, "/link")).body, "one");
});

test("what one route follows is no file for another one of the same folder", async (t) => {
  const folder = folderWith(t, { x: "x", link: "@x" });
  const web = await webSite(t, [], {
    routes: [
      { host: "a", files: { ...plain, folder, followSymlinks: true } },
      { files: { ...plain, folder } },
    ],
  });
  assert.equal((await ask(web, "/link")).body, "x");
  const client = await RawClient.open(web.port);
  client.send("GET /link HTTP/1.1\r\nHost: b\r\n\r\n");
  assert.equal((await client.answer()).status, 404);
  client.destroy();
});

test("A34 an ending makes nothing a file: what is not in the folder is nobody's page", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("account of somebody"));
  const folder = folderWith(t, { "site.css": "css" });
  const web = await webSite(t, [origin.port], {
    routes: [{ path: "*.css", files: { ...plain, folder, cacheControl: "public" } }, { to: "app" }],
  });
  assert.equal((await ask(web, "/site.css")).field("cache-control"), "public");
  for (const target of ["/account/x.css", "/account/..%2fsite.css", "/account%2f..%2fsite.css"]) {
    const answer = await ask(web, target);
    assert.ok(answer.status === 404 || answer.status === 400, target);
    assert.equal(answer.field("cache-control"), "no-store", target);
  }
  assert.equal(origin.requests, 0);
  assert.equal((await ask(web, "/account;x.css")).status, 404);
  assert.equal((await ask(web, "/account.css/")).body, "account of somebody");
});

test("over HTTP/2 files are the same", async (t) => {
  const text = "0123456789".repeat(50_000);
  const folder = folderWith(t, { long: text, "short.txt": "short" });
  const web = await webSite(t, [], { routes: [{ files: { ...plain, folder } }], tls: tlsSettings("a") });
  const session = await http2Session(t, web.port);
  const get = (path: string, fields = {}, method = "GET") =>
    askHttp2(session, { ":path": path, ":method": method, ...fields }).answer;
  const long = await get("/long");
  assert.deepEqual([long.status, long.body === text, long.fields["content-length"]], [200, true, "500000"]);
  for (let count = 0; count < 2; count++) assert.equal((await get("/short.txt")).body, "short");
  assert.equal((await get("/long", { range: "bytes=5-9" })).body, "56789");
  assert.equal((await get("/short.txt", { "if-none-match": long.fields.etag })).status, 200);
  assert.equal((await get("/short.txt", {}, "HEAD")).fields["content-length"], "5");
  assert.equal((await get("/none")).status, 404);
  truncateSync(join(folder, "long"), 100);
  const many = await Promise.all(Array.from({ length: 20 }, () => get("/short.txt")));
  assert.ok(many.every(({ body }) => body === "short"));
});

test("special files are no files, and nobody waits for them", async (t) => {
  const folder = folderWith(t, { x: "x" });
  execFileSync("mkfifo", [join(folder, "pipe")]);
  symlinkSync("/dev/zero", join(folder, "zero"));
  for (const followSymlinks of [false, true]) {
    const web = await site(t, folder, { followSymlinks });
    assert.equal((await ask(web, "/pipe")).status, 404);
    assert.equal((await ask(web, "/zero")).status, 404);
  }
});

test("a file that lies beside its original, compressed", async (t) => {
  const web = await site(
    t,
    folderWith(t, { "x.js": "plain", "x.js.br": "br", "x.js.gz": "gz", "y.js": "y", "z.js.gz": "z" }),
    { precompressed: true },
  );
  const get = async (target: string, accept: string): Promise<unknown[]> => {
    const answer = await ask(web, target, accept === "" ? "" : `Accept-Encoding: ${accept}\r\n`);
    return [
      answer.body,
      answer.field("content-encoding"),
      answer.field("content-type"),
      answer.field("vary"),
    ];
  };
  const type = "text/javascript; charset=utf-8";
  for (let count = 0; count < 2; count++) {
    assert.deepEqual(await get("/x.js", "gzip, br"), ["br", "br", type, "Accept-Encoding"]);
    assert.deepEqual(await get("/x.js", "gzip"), ["gz", "gzip", type, "Accept-Encoding"]);
    assert.deepEqual(await get("/x.js", "zstd"), ["plain", undefined, type, "Accept-Encoding"]);
    assert.deepEqual(await get("/x.js", ""), ["plain", undefined, type, "Accept-Encoding"]);
    assert.deepEqual(await get("/y.js", "br"), ["y", undefined, type, "Accept-Encoding"]);
  }
  assert.equal((await ask(web, "/z.js", "Accept-Encoding: gzip\r\n")).status, 404);
  const tags = [];
  for (const accept of ["br", "gzip", "identity"])
    tags.push((await ask(web, "/x.js", `Accept-Encoding: ${accept}\r\n`)).field("etag"));
  assert.equal(new Set(tags).size, 3);
  const part = await ask(web, "/x.js", "Accept-Encoding: gzip\r\nRange: bytes=1-\r\n");
  assert.deepEqual([part.status, part.body, part.field("content-range")], [206, "z", "bytes 1-1/2"]);
});

test("a long file is sent whole, also to a slow reader", async (t) => {
  const text = Array.from({ length: 400_000 }, (_, at) => `${at}\n`).join("");
  const web = await site(t, folderWith(t, { long: text }));
  assert.equal((await ask(web, "/long")).body, text);
  const part = await ask(web, "/long", "Range: bytes=100000-300000\r\n");
  assert.equal(part.body, text.slice(100_000, 300_001));
  const client = await RawClient.open(web.port);
  client.socket.pause();
  client.send(
    "GET /long HTTP/1.1\r\nHost: a\r\n\r\nGET /long HTTP/1.1\r\nHost: a\r\nRange: bytes=0-9\r\n\r\n",
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  client.socket.resume();
  assert.equal((await client.answer()).body, text);
  assert.equal((await client.answer()).body, text.slice(0, 10));
  client.destroy();
});

test("a file that becomes shorter or is written to while it is sent: the answer breaks off", async (t) => {
  const folder = folderWith(t, { short: "x".repeat(30_000_000), written: "x".repeat(30_000_000) });
  const web = await site(t, folder);
  for (const [name, change] of [
    ["short", () => truncateSync(join(folder, "short"), 20_000_000)],
    ["written", () => appendFileSync(join(folder, "written"), "y")],
  ] as const) {
    const client = await RawClient.open(web.port);
    client.send(`GET /${name} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.match(await client.read(/\r\n\r\n/), /Content-Length: 30000000\r\n/);
    client.socket.pause();
    change();
    client.socket.resume();
    assert.ok((await client.read()).length < 30_000_000, name);
    assert.match(web.warnings.join("\n"), /changed while it was sent/);
  }
});

test("a client that goes away leaves no file open", async (t) => {
  const folder = folderWith(t, {});
  const fd = openSync(join(folder, "huge"), "w");
  ftruncateSync(fd, 10 * 2 ** 30);
  closeSync(fd);
  const web = await site(t, folder);
  const last = await ask(web, "/huge", "Range: bytes=10737418230-\r\n");
  assert.deepEqual([last.status, last.body.length], [206, 10]);
  for (let count = 0; count < 20; count++) {
    const client = await RawClient.open(web.port);
    client.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.read(/\r\n\r\n/);
    client.destroy();
  }
  // That nothing is left open is what closing the site asserts.
});
