/** A server that wants to harm who checks it, or is merely broken: it is found unwell, costs one connection and a bounded read, and is cut off. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { HttpCheck, Server } from "../../src/config/model.ts";
import { LinkProbe } from "../../src/health/probes/link-probe.ts";
import { PlainProbe } from "../../src/health/probes/plain-probe.ts";
import type { Finding, Probe } from "../../src/health/probes/probe.ts";
import type { LinkStream } from "../../src/link/api.ts";
import { linkKeys } from "../../src/link/keys.ts";
import { systemClock } from "../../src/support/clock.ts";
import { checks as limits } from "../../src/support/limits.ts";
import { silentLog } from "../../src/support/log.ts";
import { rawLinkApp } from "../harness/link-app.ts";
import { until } from "../harness/process.ts";
import { secret } from "../harness/web-site.ts";

const check: HttpCheck = { target: "/healthz", host: null, statusMin: 200, statusMax: 399, text: "" };
/** When an asker gives up here. */
const patienceMs = 100;

/** What a server may do with one check, by whatever way. */
interface Asked {
  send(text: string): void;
  end(): void;
  readonly isGone: boolean;
}

interface Row {
  readonly what: string;
  readonly act: (asked: Asked) => void | Promise<void>;
  /** "": well. */
  readonly finds: RegExp | "";
  /** Found by the end of its time. */
  readonly late?: boolean;
  readonly check?: Partial<HttpCheck>;
}

const ok = (body: string, fields = ""): string =>
  `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;

/** Until the asker has gone. */
async function again(asked: Asked, text: string): Promise<void> {
  while (!asked.isGone) {
    asked.send(text);
    await sleep(1);
  }
}

const answers = (text: string) => (asked: Asked) => {
  asked.send(text);
  asked.end();
};
const says = (text: string) => (asked: Asked) => asked.send(text);
const noGoodHttp = /^it answered no good HTTP \(.+\)$/;

const rows: readonly Row[] = [
  { what: "a good answer", act: answers(ok("fine")), finds: "" },
  { what: "a good answer, and the connection stays open", act: says(ok("fine")), finds: "" },
  { what: "an answer without a length", act: answers("HTTP/1.1 200 OK\r\n\r\nfine"), finds: "" },
  {
    what: "chunks, and a text across two of them",
    act: says(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwe a\r\n6\r\nre wel\r\n1\r\nl\r\n0\r\n\r\n",
    ),
    check: { text: "are well" },
    finds: "",
  },
  {
    what: "interim answers before a good one",
    act: says(`HTTP/1.1 103 Early Hints\r\n\r\n${ok("")}`),
    finds: "",
  },
  { what: "a status that is not wanted", act: says("HTTP/1.1 503 No\r\n\r\n"), finds: /^it answered 503$/ },
  {
    what: "a redirect that the file does not allow",
    act: says("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"),
    check: { statusMax: 299 },
    finds: /^it answered 302$/,
  },
  { what: "101", act: says("HTTP/1.1 101 Switching Protocols\r\n\r\n"), finds: /^it answered 101$/ },
  {
    what: "a text that is missing",
    act: says(ok("bad")),
    check: { text: "fine" },
    finds: /^"fine" is not in its answer$/,
  },
  {
    what: "a text behind the first 16 KiB",
    act: says(ok(`${"x".repeat(limits.bodyBytesMax)}fine`)),
    check: { text: "fine" },
    finds: /^"fine" is not in its answer$/,
  },
  { what: "no status line", act: says("220 smtp.example ESMTP\r\n"), finds: noGoodHttp },
  { what: "HTTP/2", act: says("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), finds: noGoodHttp },
  {
    what: "lines that end with LF alone",
    act: says("HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    finds: noGoodHttp,
  },
  {
    what: "two lengths",
    act: says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
    finds: noGoodHttp,
  },
  {
    what: "a chunk without a size",
    act: says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n;x\r\n"),
    finds: noGoodHttp,
  },
  {
    what: "an end before any byte",
    act: (asked) => asked.end(),
    finds: /^it ended the connection without an answer$/,
  },
  {
    what: "an end in the head",
    act: answers("HTTP/1.1 200 OK\r\nX: "),
    finds: /^it ended the connection without an answer$/,
  },
  {
    what: "an end in the body",
    act: answers("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfine"),
    finds: /^it broke off \(the connection ended in the middle of the body\)$/,
  },
  { what: "silence", act: () => {}, finds: /^no answer within 1 s$/, late: true },
  {
    what: "a head that drips",
    act: (asked) => again(asked, "H"),
    finds: /^no answer within 1 s$/,
    late: true,
  },
  {
    what: "fields without an end, slowly",
    act: async (asked) => {
      asked.send("HTTP/1.1 200 OK\r\n");
      await again(asked, "X: y\r\n");
    },
    finds: /^no answer within 1 s$/,
    late: true,
  },
  {
    what: "fields without an end, quickly",
    act: async (asked) => {
      asked.send("HTTP/1.1 200 OK\r\n");
      await again(asked, `X: ${"y".repeat(8_000)}\r\n`);
    },
    finds: /^it answered no good HTTP \(the head is too large\)$/,
  },
  {
    what: "interim answers without an end",
    act: (asked) => again(asked, "HTTP/1.1 100 Continue\r\n\r\n"),
    finds: /^it answered no good HTTP \(too many interim answers\)$/,
  },
  {
    what: "a body that drips",
    act: async (asked) => {
      asked.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
      await again(asked, "x");
    },
    finds: /^its answer was not whole within 1 s$/,
    late: true,
  },
  {
    what: "a body without an end: the first 16 KiB are enough",
    act: async (asked) => {
      asked.send("HTTP/1.1 200 OK\r\n\r\n");
      await again(asked, "x".repeat(10_000));
    },
    finds: "",
  },
];

/** Asks once, and cuts it when its time is over. */
async function findingOf(probe: Probe, isLate: boolean): Promise<Finding> {
  const found = Promise.withResolvers<Finding>();
  const asking = probe.begin(found.resolve);
  if (isLate) setTimeout(() => found.resolve(asking.cut()), patienceMs);
  return await found.promise;
}

function judge(finding: Finding, { finds }: Row): void {
  if (finds === "") assert.equal(finding, "");
  else assert.match(finding!, finds);
}

const anyServer = {
  name: "app-a",
  address: "127.0.0.1",
  authority: "app.example",
  plain: { socketPath: null, tls: null, host: null },
} as unknown as Server;

/** A server that does `act` with the first bytes of a connection. */
async function plainSite(t: TestContext, act: (asked: Asked) => void | Promise<void>) {
  const sockets: Socket[] = [];
  let requests = "";
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      requests += bytes;
    });
    socket.once("data", () =>
      act({
        send: (text) => void socket.write(text),
        end: () => void socket.end(),
        get isGone() {
          return socket.destroyed || socket.closed;
        },
      }),
    );
    socket.on("end", () => socket.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as { port: number }).port, sockets, requests: () => requests };
}

const parts = {
  resolver: { resolve: () => Promise.reject(new Error("no names here")) },
  clock: systemClock,
  within: "within 1 s",
};

for (const row of rows) {
  test(`over TCP: ${row.what}`, async (t) => {
    const site = await plainSite(t, row.act);
    const probe = new PlainProbe({ ...anyServer, port: site.port }, { ...check, ...row.check }, parts);
    judge(await findingOf(probe, row.late === true), row);
    await until("it is cut off", () => site.sockets.every(({ destroyed }) => destroyed));
    assert.equal(site.sockets.length, 1);
    assert.equal(
      site.requests(),
      "GET /healthz HTTP/1.1\r\nHost: app.example\r\nUser-Agent: flotilla-check\r\nConnection: close\r\n\r\n",
    );
    assert.ok(site.sockets[0]!.bytesWritten < 8_388_608, `${site.sockets[0]!.bytesWritten} bytes were taken`);
  });

  test(`over the link: ${row.what}`, async (t) => {
    const streams: LinkStream[] = [];
    const port = await rawLinkApp(t, (stream) => {
      streams.push(stream);
      void row.act({
        send: (text) => void stream.write(text, "latin1"),
        end: () => stream.end(),
        get isGone() {
          return stream.closed;
        },
      });
    });
    const link = { self: { name: "web-a", incarnation: "test" }, keys: linkKeys(secret, null) };
    const probe = new LinkProbe(
      { ...anyServer, port },
      { ...check, ...row.check },
      {
        link: { ...link, services: new Map(), log: silentLog },
        ownAddress: "127.0.0.9",
        within: "within 1 s",
      },
    );
    t.after(() => probe.close());
    let finding = await findingOf(probe, row.late === true);
    while (finding === null) {
      // There is no link yet.
      await sleep(1);
      finding = await findingOf(probe, row.late === true);
    }
    judge(finding, row);
    await until("the stream is over", () => streams.every(({ closed }) => closed));
    assert.equal(streams.length, 1);
  });
}

test("a reset of the connection, and of the stream", async (t) => {
  const site = await plainSite(t, () => void site.sockets[0]!.resetAndDestroy());
  const probe = new PlainProbe({ ...anyServer, port: site.port }, check, parts);
  assert.match((await findingOf(probe, false))!, /^it broke off the connection \(ECONNRESET\)$/);
});
