/** `coordination: etcd` with real servers of etcd: what every engine has to do, alone and of three, and what only etcd has. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { EtcdSettings } from "../../src/config/model.ts";
import { CellEngine } from "../../src/register/cell/cell-engine.ts";
import { EtcdStore } from "../../src/register/etcd/store.ts";
import type { FlotillaError } from "../../src/support/errors.ts";
import { Cable } from "../harness/cable.ts";
import { Etcd, makeCertificates, withoutEtcd } from "../harness/etcd.ts";
import { temporaryFolder, until } from "../harness/process.ts";
import {
  begin,
  change,
  claimed,
  describeEngine,
  describeWay,
  type EngineUnderTest,
  ownerOf,
  type Part,
  read,
  type WiredPart,
} from "./conformance.ts";

const plain: Omit<EtcdSettings, "endpoints"> = {
  ...{ engine: "etcd", isMoving: false, prefix: "/flotilla/", user: null, password: null, tls: null },
};

function openEngine(
  t: TestContext,
  settings: EtcdSettings,
  node: string,
): Pick<Part, "engine" | "problems" | "mended"> {
  const problems: string[] = [];
  const mended: string[] = [];
  const engine = new CellEngine({
    ...{ name: "etcd", store: new EtcdStore(settings, "app"), where: "the key /flotilla/app in etcd", node },
    onProblem: (message) => problems.push(message),
    onMended: (message) => mended.push(message),
  });
  t.after(() => engine.stop());
  return { engine, problems, mended };
}

/** Questions that change the key. */
const changes = /POST \/v3\/kv\/txn/;

/** Each part with a cable of its own to each server. */
async function openPart(t: TestContext, etcd: Etcd, node: string): Promise<WiredPart> {
  const cables = await Promise.all(etcd.ports.map((port) => Cable.to(port)));
  const endpoints = cables.map(({ port }) => `http://127.0.0.1:${port}`);
  const part = openEngine(t, { ...plain, endpoints }, `${node}#1`);
  t.after(() => {
    for (const cable of cables) cable.close();
  });
  const each = (action: (cable: Cable) => void) => () => cables.forEach(action);
  return {
    ...part,
    cut: each((cable) => cable.cut()),
    mend: each((cable) => cable.mend()),
    loseAnswers: each((cable) => cable.loseAnswersTo(changes)),
    holdQuestions: each((cable) => cable.holdQuestions(changes)),
    passQuestions: each((cable) => cable.passQuestions()),
    deliver: () => cables.reduce((sum, cable) => sum + cable.deliver(), 0),
    delay: (ms) => {
      for (const cable of cables) cable.delay(ms);
    },
  };
}

function makeWith(servers: 1 | 3): (t: TestContext) => Promise<EngineUnderTest<WiredPart>> {
  return async (t) => {
    // Timers of registers do not keep the process alive.
    const keepAlive = setInterval(() => {}, 1_000);
    t.after(() => clearInterval(keepAlive));
    const etcd = await Etcd.start(t, { servers });
    return {
      open: (node) => openPart(t, etcd, node),
      async restart() {
        for (const index of etcd.ports.keys()) await etcd.kill(index);
        await Promise.all([...etcd.ports.keys()].map((index) => etcd.startServer(index)));
      },
    };
  };
}

const skip = withoutEtcd();
describeEngine("etcd", skip, makeWith(1));
describeEngine("etcd of three servers", skip, makeWith(3));
describeWay("etcd", skip, makeWith(1));

describe("etcd", { skip }, () => {
  test("of three servers any may die; without two it is told who was asked; it goes on when they are back", async (t) => {
    const etcd = await Etcd.start(t, { servers: 3 });
    const { engine } = openEngine(t, { ...plain, endpoints: etcd.endpoints }, "a#1");
    const part = { engine } as Part;
    let state = await begin(part);
    const add = async (slot: number): Promise<void> => {
      const outcome = await change(part, state.version, claimed(state, slot, "app-a"));
      assert.equal(outcome.kind, "done");
      state = (outcome as { state: typeof state }).state;
    };
    for (const index of [0, 1, 2]) {
      await etcd.kill(index);
      // The leader may have been that one: a new one is elected within seconds.
      state = await until("the others go on", () => read(part).catch(() => null));
      await until("a change is made", () =>
        add(index).then(
          () => true,
          () => false,
        ),
      );
      await etcd.startServer(index);
    }
    await etcd.kill(0);
    await etcd.kill(1);
    await assert.rejects(read(part), (error: FlotillaError) => {
      assert.equal(error.code, "FLOTILLA_REGISTER_UNREACHABLE");
      for (const endpoint of etcd.endpoints.slice(0, 2))
        assert.ok(error.message.includes(`${endpoint}: connection refused`), error.message);
      return true;
    });
    await Promise.all([etcd.startServer(0), etcd.startServer(1)]);
    state = await until("it is back", () => read(part).catch(() => null));
    assert.deepEqual(
      [0, 1, 2].map((slot) => ownerOf(state, slot)),
      ["app-a", "app-a", "app-a"],
    );
  });

  test("a server that stands still is left for the next one within a change's time", async (t) => {
    const etcd = await Etcd.start(t, { servers: 3 });
    const { engine } = openEngine(t, { ...plain, endpoints: etcd.endpoints }, "a#1");
    const part = { engine } as Part;
    const first = await begin(part);
    etcd.signal(0, "SIGSTOP");
    const state = await until("the others go on", () => read(part).catch(() => null));
    assert.equal((await change(part, state.version, claimed(first, 1, "app-a"))).kind, "done");
    etcd.signal(0, "SIGCONT");
  });

  test("users: a token that has ended is renewed; a wrong password and a missing right say what to do", async (t) => {
    const etcd = await Etcd.start(t);
    for (const words of [
      ["user", "add", "root:secret"],
      ["user", "grant-role", "root", "root"],
      ["role", "add", "sessions"],
      ["role", "grant-permission", "sessions", "readwrite", "/flotilla/", "--prefix=true"],
      ["user", "add", "flotilla:word"],
      ["user", "grant-role", "flotilla", "sessions"],
      ["auth", "enable"],
    ]) {
      const { code, stderr } = await etcd.ctl(words);
      assert.equal(code, 0, stderr);
    }
    etcd.root = "root:secret";
    const settings = { ...plain, endpoints: etcd.endpoints, user: "flotilla", password: "word" };
    const { engine } = openEngine(t, settings, "a#1");
    const part = { engine } as Part;
    const first = await begin(part);
    // Simple tokens live in its memory.
    await etcd.kill(0);
    await etcd.startServer(0);
    const state = await until("the token is renewed", () => read(part).catch(() => null));
    assert.equal((await change(part, state.version, claimed(first, 1, "app-a"))).kind, "done");
    for (const [wrong, words] of [
      [{ ...settings, password: "wrong" }, /see user: and password:/],
      [{ ...settings, prefix: "/other/" }, /permission denied.*grant the user readwrite/],
      [{ ...settings, user: null, password: null }, /it wants user: and password:/],
    ] as const) {
      const refused = openEngine(t, wrong, "b#1");
      // On a busy machine the last word may be that it took too long to look at the password.
      await until(`it is told: ${words}`, async () => {
        const error = await read(refused as unknown as Part).catch((thrown: unknown) => thrown);
        assert.equal((error as FlotillaError).code, "FLOTILLA_REGISTER_UNREACHABLE");
        assert.doesNotMatch((error as FlotillaError).message, /wrong|secret/);
        return words.test((error as FlotillaError).message);
      });
    }
  });

  test("TLS: with a certificate of ours; not to a server that nobody vouches for", async (t) => {
    const certificates = makeCertificates(temporaryFolder(t));
    const { ca, cert, key } = certificates;
    const etcd = await Etcd.start(t, { tls: { ...certificates, wantsClientCert: true } });
    const certificate = { certPath: cert, keyPath: key };
    const settings = { ...plain, endpoints: etcd.endpoints };
    const good = { ...settings, tls: { caPath: ca, certificate, serverName: null } };
    const part = openEngine(t, good, "a#1") as unknown as Part;
    const first = await begin(part);
    assert.equal((await change(part, 1, claimed(first, 1, "app-a"))).kind, "done");
    for (const tls of [null, { caPath: ca, certificate: null, serverName: null }]) {
      const refused = openEngine(t, { ...settings, tls }, "b#1") as unknown as Part;
      await assert.rejects(read(refused), /see tls: of coordination:/);
    }
  });
});
