/** `coordination: postgres` with real servers: what every engine has to do, and what only PostgreSQL has. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, type TestContext, test } from "node:test";
import type { PostgresSettings } from "../../src/config/model.ts";
import { CellEngine } from "../../src/register/cell/cell-engine.ts";
import { PostgresStore } from "../../src/register/postgres/store.ts";
import { type Slot, type SlotMap, withSlots } from "../../src/register/slot-map.ts";
import { Cable } from "../harness/cable.ts";
import { Postgres, whyNoPostgres } from "../harness/postgres.ts";
import { until } from "../harness/process.ts";
import { SmallDisk, whyNoSmallDisk } from "../harness/small-disk.ts";
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

function openEngine(
  t: TestContext,
  ports: readonly number[],
  node: string,
): Pick<Part, "engine" | "problems" | "mended"> {
  const problems: string[] = [];
  const mended: string[] = [];
  const settings: PostgresSettings = {
    ...{ engine: "postgres", isMoving: false, table: "flotilla_register", tls: null },
    address: {
      hosts: ports.map((port) => ({ host: "127.0.0.1", port })),
      ...{ database: "postgres", user: "postgres", password: null, tlsMode: "prefer" },
    },
  };
  const where = "the row app of the table flotilla_register in PostgreSQL";
  const store = new PostgresStore({
    ...{ cluster: "app", settings, applicationName: `flotilla ${node}`, where },
    onRemark: () => {},
  });
  const engine = new CellEngine({
    name: "postgres",
    ...{ store, where, node },
    onProblem: (message) => problems.push(message),
    onMended: (message) => mended.push(message),
  });
  t.after(() => engine.stop());
  return { engine, problems, mended };
}

/** Statements that change the row. */
const changes = /SET revision/;

/** Each part with a cable of its own. */
async function openPart(t: TestContext, server: Postgres, node: string): Promise<WiredPart> {
  const cable = await Cable.to(server.port);
  t.after(() => cable.close());
  return {
    ...openEngine(t, [cable.port], `${node}#1`),
    cut: () => cable.cut(),
    mend: () => cable.mend(),
    loseAnswers: () => cable.loseAnswersTo(changes),
    holdQuestions: () => cable.holdQuestions(changes),
    passQuestions: () => cable.passQuestions(),
    deliver: () => cable.deliver(),
    delay: (ms) => cable.delay(ms),
  };
}

/** Timers of registers do not keep the process alive. */
function keepAlive(t: TestContext): void {
  const timer = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(timer));
}

async function make(t: TestContext): Promise<EngineUnderTest<WiredPart>> {
  keepAlive(t);
  const server = await Postgres.startFor(t, { settings: ["fsync = on"] });
  return {
    open: (node) => openPart(t, server, node),
    async restart() {
      await server.stop("immediate");
      await server.run();
    },
  };
}

const skip = whyNoPostgres() ?? false;
describeEngine("PostgreSQL", skip, make);
describeWay("PostgreSQL", skip, make);

function randomSlot(): Slot {
  const incarnation = randomBytes(40).toString("base64url");
  return { epoch: 1, owner: { server: "app-a", incarnation }, backup: null, prior: null };
}

describe("PostgreSQL", { skip }, () => {
  test("a change whose process stands still in the server is settled by a read, and happens before it or never", async (t) => {
    keepAlive(t);
    const server = await Postgres.startFor(t);
    const part = openEngine(t, [server.port], "a#1") as Part;
    let state = await begin(part);
    const pid = async (): Promise<number> =>
      Number(
        (await server.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'flotilla a#1'"))[0]!
          .pid,
      );
    // It has not read the statement.
    const paused = await pid();
    process.kill(paused, "SIGSTOP");
    assert.equal((await change(part, 1, claimed(state, 5, "app-a"))).kind, "unknown");
    state = await until("it is settled", () => read(part).catch(() => null));
    assert.equal(ownerOf(state, 5), null);
    process.kill(paused, "SIGCONT");
    await until(
      "it has ended",
      async () => (await server.sql("SELECT 1 FROM pg_stat_activity WHERE pid = $1", [paused])).length === 0,
    );
    assert.equal(ownerOf((await read(part))!, 5), null);
    // It has the row, and takes its time until it commits.
    await server.sql(
      `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$`,
    );
    await server.sql(
      "CREATE TRIGGER wait AFTER UPDATE ON flotilla_register FOR EACH ROW WHEN (current_setting('application_name') = 'flotilla a#1') EXECUTE FUNCTION wait()",
    );
    assert.equal((await change(part, state.version, claimed(state, 6, "app-a"))).kind, "unknown");
    await server.sql("DROP TRIGGER wait ON flotilla_register");
    state = await until("it is settled", () => read(part).catch(() => null));
    assert.equal(ownerOf(state, 6), "app-a");
  });

  test("a standby that lagged is promoted: the servers put right what it lacks, and one register goes on", async (t) => {
    keepAlive(t);
    const first = await Postgres.startFor(t, { settings: ["fsync = on"] });
    const lagging = await Postgres.follow(t, first);
    const ports = [first.port, lagging.port];
    const parts = ["a", "b"].map((node) => openEngine(t, ports, `${node}#1`) as Part);
    const [one, two] = [parts[0]!, parts[1]!];
    let state = await begin(one);
    const made = async (): Promise<boolean> =>
      (await lagging.sql("SELECT 1 FROM pg_tables WHERE tablename = 'flotilla_register'")).length === 1 &&
      (await lagging.sql("SELECT 1 FROM flotilla_register")).length === 1;
    await until("the standby has it", made);
    await lagging.stop();
    const outcome = await change(one, 1, claimed(state, 7, "app-a"));
    assert.equal(outcome.kind, "done");
    const { world } = one.engine;
    await first.stop("immediate");
    await lagging.run();
    await lagging.promote();
    state = await until("it goes on", () => read(two).catch(() => null));
    const after = await until("it goes on", () => read(one).catch(() => null));
    assert.equal(one.engine.world, world);
    assert.ok(after.version >= state.version);
    assert.equal(ownerOf((await read(two))!, 7), "app-a");
  });

  test("its disk is really full: nothing is changed, reads go on, and changes are made again when there is room", {
    skip: whyNoSmallDisk() ?? false,
  }, async (t) => {
    keepAlive(t);
    const disk = new SmallDisk(t, 96);
    const settings = ["fsync = off", "autovacuum = off"];
    const server = await Postgres.startFor(t, { disks: { data: disk.folder }, settings });
    await server.sql("CREATE TABLE other (filler text)");
    const part = openEngine(t, [server.port], "a#1") as Part;
    let state = await begin(part);
    // So large that each version needs new pages.
    const large = (): SlotMap =>
      withSlots(state.value, new Map(state.value.slots.map((_, slot) => [slot, randomSlot()])));
    const first = await change(part, state.version, large());
    assert.equal(first.kind, "done");
    state = (await read(part))!;
    disk.fill();
    const refused = await change(part, state.version, large());
    assert.equal(refused.kind, "unknown");
    assert.deepEqual((await read(part))!.version, state.version);
    assert.match(part.problems.join(), /has a full disk \(.*No space left on device.*\): make room there/);
    assert.match(part.engine.problem ?? "", /has a full disk/);
    disk.makeRoom();
    const outcome = await until("there is room", async () => {
      const tried = await change(part, state.version, large());
      return tried.kind === "done" ? tried : null;
    });
    assert.equal(outcome.state.version, state.version + 1);
    assert.equal(part.engine.problem, null);
    assert.equal(part.mended.length, 1);
  });

  test("servers that come and go leave no connection behind", async (t) => {
    keepAlive(t);
    const server = await Postgres.startFor(t);
    // Of 40 connections that it takes.
    for (let round = 0; round < 2; round++) {
      const parts = Array.from(
        { length: 30 },
        (_, index) => openEngine(t, [server.port], `${round}-${index}#1`) as Part,
      );
      await Promise.all(parts.map(begin));
      for (const { engine } of parts) engine.stop();
      await until(
        "all are gone",
        async () =>
          (await server.sql("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'flotilla%'"))
            .length === 0,
      );
    }
  });
});
