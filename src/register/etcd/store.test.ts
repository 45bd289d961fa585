/** Whoever answers in the place of etcd: nothing of it stops the process, fills its memory or is taken for a register. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import test, { type TestContext } from "node:test";
import type { FlotillaError } from "../../support/errors.ts";
import { etcd as limits } from "../../support/limits.ts";
import { EtcdStore } from "./store.ts";

type Answer = (response: ServerResponse, path: string, question: string) => void;

const key = Buffer.from("/flotilla/app").toString("base64");

async function storeAt(t: TestContext, answer: Answer): Promise<EtcdStore> {
  const server = createServer((request: IncomingMessage, response) => {
    let question = "";
    request.setEncoding("utf8").on("data", (part: string) => {
      question += part;
    });
    request.once("end", () => answer(response, request.url!, question));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const store = new EtcdStore(
    {
      ...{
        engine: "etcd",
        isMoving: false,
        endpoints: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`],
      },
      ...{ prefix: "/flotilla/", user: null, password: null, tls: null },
    },
    "app",
  );
  t.after(() => {
    store.stop();
    server.close();
    server.closeAllConnections();
  });
  return store;
}

function saying(body: string, status = 200): Answer {
  return (response) => response.writeHead(status).end(body);
}

const kv = (fields: object): string =>
  JSON.stringify({ kvs: [{ key, mod_revision: "7", value: "eA==", ...fields }] });

const wrong: readonly (readonly [string, Answer, RegExp])[] = [
  ["no JSON", saying("<html>\u001b[31m"), /its answer is not as etcd answers; is that its client port/],
  ["a list", saying("[]"), /not as etcd answers/],
  ["many keys", saying(JSON.stringify({ kvs: [{}, {}] })), /kvs is not as etcd answers/],
  ["kvs that are none", saying(JSON.stringify({ kvs: "x" })), /kvs is not/],
  ["a key that is none", saying(JSON.stringify({ kvs: [null] })), /kvs is not/],
  ["no revision", saying(JSON.stringify({ kvs: [{ value: "eA==" }] })), /mod_revision is not/],
  ["a revision that is none", saying(kv({ mod_revision: "-1" })), /mod_revision is not/],
  ["a number for a revision", saying(kv({ mod_revision: 7 })), /mod_revision is not/],
  ["a value that is no text", saying(kv({ value: {} })), /value is not/],
  ["a value that is too long", saying(kv({ value: "A".repeat(limits.valueBytesMax * 1.4) })), /value is not/],
  ["an endless answer", saying(" ".repeat(limits.answerBytesMax + 1)), /longer than/],
  [
    "half an answer",
    (response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("{");
      setImmediate(() => response.destroy());
    },
    /ended too early|connection reset|aborted/,
  ],
  ["no answer", () => {}, /no answer in 0\.\d+ s; start it, or mend the network/],
  ["another program", saying("Not here", 404), /status 404, not as etcd does/],
  [
    "a way on",
    (response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
    /status 302/,
  ],
  [
    "an error with control characters",
    saying(
      JSON.stringify({ error: `etcdserver: mvcc: database space exceeded\u001b[2J${"x".repeat(999)}` }),
      500,
    ),
    /space exceeded \[2Jx{100,200}; compact and defragment it, then: etcdctl alarm disarm/,
  ],
];

for (const [what, answer, words] of wrong) {
  test(`a read is refused: ${what}`, async (t) => {
    const store = await storeAt(t, answer);
    const error = (await store.get(200).catch((thrown: unknown) => thrown)) as FlotillaError;
    assert.match(error.code, /^FLOTILLA_REGISTER_(UNREACHABLE|DAMAGED)$/);
    assert.match(error.message, words);
    assert.doesNotMatch(error.message, /[\0-\x1f]/);
    assert.ok(error.message.length < 600);
  });
}

test("a change is not taken for done without its revision, nor for refused without what is there", async (t) => {
  let answer = "";
  const store = await storeAt(t, (response) => response.end(answer));
  for (const body of [
    { succeeded: true },
    { succeeded: true, header: { revision: "x" } },
    {},
    { responses: [] },
  ]) {
    answer = JSON.stringify(body);
    await assert.rejects(store.swap("7", Buffer.from("x"), 500), /is not as etcd answers/);
  }
  answer = JSON.stringify({ responses: [{ response_range: {} }] });
  assert.deepEqual(await store.swap("7", Buffer.from("x"), 500), { isDone: false, cell: null });
  answer = JSON.stringify({ succeeded: true, header: { revision: "8" } });
  assert.deepEqual(await store.swap("7", Buffer.from("x"), 500), { isDone: true, revision: "8" });
});

test("a watch that sends nonsense or ends is begun again; a good one tells", async (t) => {
  let watches = 0;
  const lines = [
    "nonsense\n",
    `${" ".repeat(limits.answerBytesMax + 1)}`,
    `${JSON.stringify({ result: { events: [{ kv: { mod_revision: "x" } }] } })}\n`,
    `${JSON.stringify({ result: { events: [{ type: "DELETE" }, { kv: { mod_revision: "9", value: "eA==" } }] } })}\n`,
  ];
  const store = await storeAt(t, (response, path) => {
    if (path !== "/v3/watch") return;
    response.write(lines[watches++] ?? "");
  });
  const cell = await new Promise((resolve) => store.watch(resolve));
  assert.deepEqual(cell, { revision: "9", bytes: Buffer.from("x") });
  assert.equal(watches, 4);
});
