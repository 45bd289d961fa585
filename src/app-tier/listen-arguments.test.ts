import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { askedFor } from "./listen-arguments.ts";

const done = (): void => {};

test("every form of listen() that Node takes", () => {
  const cases: [unknown[], { where: string; port: number; host: string | null } | null][] = [
    [[3000], { where: "3000", port: 3000, host: null }],
    [["3000", "127.0.0.1"], { where: "3000", port: 3000, host: "127.0.0.1" }],
    [[3000, "::1", 511, done], { where: "3000", port: 3000, host: "::1" }],
    [[3000, undefined, done], { where: "3000", port: 3000, host: null }],
    [[], { where: "0", port: 0, host: null }],
    [[done], { where: "0", port: 0, host: null }],
    [[undefined, done], { where: "0", port: 0, host: null }],
    [[null], { where: "0", port: 0, host: null }],
    [[{ port: 80, host: "a.test" }, done], { where: "80", port: 80, host: "a.test" }],
    [[{ port: undefined }], { where: "0", port: 0, host: null }],
    [["/run/a.sock", done], { where: "/run/a.sock", port: 0, host: null }],
    [[{ path: "/run/a.sock" }], { where: "/run/a.sock", port: 0, host: null }],
    // Left to Node.
    [[{ fd: 3 }], null],
    [[createServer()], null],
    [[{}], null],
    [[70_000], null],
    [[{ port: "x" }], null],
    [[true], null],
  ];
  for (const [args, expected] of cases) {
    const asked = askedFor(args);
    const found = asked === null ? null : { where: asked.where, port: asked.port, host: asked.host };
    assert.deepEqual(found, expected, JSON.stringify(args));
    if (asked !== null) assert.equal(asked.callback, args.includes(done) ? done : null);
  }
});

test("the arguments that are left call nobody back and listen at the same place", async (t) => {
  const { signal } = new AbortController();
  const asked = askedFor([{ port: 0, host: "127.0.0.1", signal }, assert.fail])!;
  assert.equal(asked.signal, signal);
  const server = createServer().listen(...(asked.argumentsAlone as [object]));
  t.after(() => server.close());
  await once(server, "listening");
  assert.equal((server.address() as AddressInfo).address, "127.0.0.1");
});
