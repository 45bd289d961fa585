/**
 * What every engine of the register has to do, whichever it is: READ FIRST register.ts. The engines' own tests
 * (members.test.ts, etcd.test.ts, ...) give the parts: one per process, each with its own way to the engine.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { RegisterEngine } from "../../src/register/engine.ts";
import type { CasOutcome, Versioned } from "../../src/register/register.ts";
import { emptySlotMap, type Slot, type SlotMap, withSlots } from "../../src/register/slot-map.ts";
import type { FlotillaError } from "../../src/support/errors.ts";
import { until } from "../harness/process.ts";

/** A process's part of the register, and its way to the engine. */
export interface Part {
  readonly engine: RegisterEngine;
  readonly problems: string[];
  readonly mended: string[];
  /** Nothing gets through, and nobody is told. */
  cut(): void;
  mend(): void;
}

/** A part whose way can do more. */
export interface WiredPart extends Part {
  /** From the next change on. */
  loseAnswers(): void;
  /** Changes that are asked for until `passQuestions` arrives with `deliver`, after all that is asked later. */
  holdQuestions(): void;
  passQuestions(): void;
  deliver(): number;
  delay(ms: number): void;
}

export interface EngineUnderTest<P extends Part> {
  open(node: string): Promise<P>;
  /** Ends all of it at once, as a power cut does, and starts it again. Parts may have to be opened anew. */
  restart(): Promise<void>;
}

export const letters: ReadonlyMap<string, string> = new Map([
  ["app-a", "a"],
  ["app-b", "b"],
]);

export function read({ engine }: Part): Promise<Versioned<SlotMap> | null> {
  return new Promise((resolve, reject) =>
    engine.register.read((error, state) => (error === null ? resolve(state) : reject(error))),
  );
}

export function change({ engine }: Part, expected: number, value: SlotMap): Promise<CasOutcome<SlotMap>> {
  return new Promise((resolve) => engine.register.compareAndSet(expected, value, resolve));
}

/** As a server does it at its start: whoever finds nothing makes the first version. */
export async function begin(part: Part): Promise<Versioned<SlotMap>> {
  const found = await read(part);
  if (found !== null) return found;
  const outcome = await change(part, 0, emptySlotMap(letters));
  if (outcome.kind !== "unknown") return outcome.state;
  throw outcome.error;
}

function slotOf(server: string): Slot {
  return { epoch: 1, owner: { server, incarnation: "x" }, backup: null, prior: null };
}

/** The next value: one more slot is owned. */
export function claimed({ value }: Versioned<SlotMap>, slot: number, server: string): SlotMap {
  return withSlots(value, new Map([[slot, slotOf(server)]]));
}

export function ownerOf({ value }: Versioned<SlotMap>, slot: number): string | null {
  return value.slots[slot]!.owner?.server ?? null;
}

type Make<P extends Part> = (t: TestContext) => Promise<EngineUnderTest<P>>;

/** The parts of each test are opened anew; those that have ended do not matter any more. */
export function describeEngine<P extends Part>(name: string, skip: string | false, make: Make<P>): void {
  describe(`the register in ${name}`, { skip }, () => {
    test("servers that start at once make one first version", async (t) => {
      const engine = await make(t);
      const parts = await Promise.all(["a", "b", "c"].map((node) => engine.open(node)));
      const states = await Promise.all(parts.map(begin));
      for (const { version, value } of states) {
        assert.equal(version, 1);
        assert.deepEqual([...value.letters], [...letters]);
      }
      await Promise.all(parts.map(read));
      const worlds = new Set(parts.map((part) => part.engine.world));
      assert.equal(worlds.size, 1);
      assert.ok([...worlds][0]);
    });

    test("changes at the same time: one chain, and reads that never go back", async (t) => {
      const engine = await make(t);
      const parts = await Promise.all(["a", "b", "c"].map((node) => engine.open(node)));
      await Promise.all(parts.map(begin));
      let newest = 1;
      const done: { slot: number; server: string; version: number }[] = [];
      const workOf = async (part: Part, index: number): Promise<void> => {
        const server = `app-${index}`;
        let told = part.engine.register.known?.version ?? 0;
        part.engine.register.watch(({ version }) => {
          assert.ok(version > told, `told ${version} after ${told}`);
          told = version;
        });
        for (let slot = index; slot < 45; ) {
          const least = newest;
          const state = (await read(part))!;
          assert.ok(state.version >= least, `read ${state.version} after ${least} was done`);
          const outcome = await change(part, state.version, claimed(state, slot, server));
          if (outcome.kind === "done") {
            assert.equal(outcome.state.version, state.version + 1);
            done.push({ slot, server, version: outcome.state.version });
            newest = Math.max(newest, outcome.state.version);
            slot += 3;
          } else {
            assert.equal(outcome.kind, "conflict");
            assert.ok((outcome as { state: Versioned<SlotMap> }).state.version > state.version);
          }
        }
      };
      await Promise.all(parts.map(workOf));
      const last = (await read(parts[0]!))!;
      assert.equal(last.version, 1 + done.length);
      assert.equal(new Set(done.map(({ version }) => version)).size, done.length);
      for (const { slot, server } of done) assert.equal(ownerOf(last, slot), server);
    });

    test("an old version is a conflict; one that only another server knows can be built on", async (t) => {
      const engine = await make(t);
      const [one, two, three] = [await engine.open("a"), await engine.open("b"), await engine.open("c")];
      const first = await begin(one);
      await begin(two);
      assert.equal((await change(one, 1, claimed(first, 7, "app-a"))).kind, "done");
      const late = await change(two, 1, claimed(first, 8, "app-b"));
      assert.equal(late.kind, "conflict");
      assert.equal(ownerOf((late as { state: Versioned<SlotMap> }).state, 7), "app-a");
      const outcome = await change(three, 2, claimed(late.state!, 9, "app-c"));
      assert.equal(outcome.kind, "done");
      assert.equal(ownerOf((await read(one))!, 9), "app-c");
    });

    test("cut off it fails in time with what to do, told once; back, it goes on", async (t) => {
      const engine = await make(t);
      const parts = await Promise.all(["a", "b", "c"].map((node) => engine.open(node)));
      await Promise.all(parts.map(begin));
      const [one, two] = [parts[0]!, parts[1]!];
      one.cut();
      const beganAt = performance.now();
      for (let i = 0; i < 2; i++)
        await assert.rejects(
          read(one),
          (error: FlotillaError) => error.code === "FLOTILLA_REGISTER_UNREACHABLE",
        );
      assert.ok(performance.now() - beganAt < 8_000);
      const first = (await read(two))!;
      assert.equal((await change(two, first.version, claimed(first, 1, "app-b"))).kind, "done");
      one.mend();
      const back = await until("it answers again", () => read(one).catch(() => null));
      assert.equal(ownerOf(back, 1), "app-b");
      assert.equal(one.engine.problem, null);
      assert.ok(one.problems.length <= 1 && one.mended.length === one.problems.length);
    });

    test("after a power cut of all of it everything is there, and it is the same register", async (t) => {
      const engine = await make(t);
      const parts = await Promise.all(["a", "b", "c"].map((node) => engine.open(node)));
      await Promise.all(parts.map(begin));
      const one = parts[0]!;
      const first = (await read(one))!;
      assert.equal((await change(one, first.version, claimed(first, 3, "app-a"))).kind, "done");
      const { world } = one.engine;
      await engine.restart();
      const again = await Promise.all(["a", "b", "c"].map((node) => engine.open(`${node}2`)));
      const states = await Promise.all(
        again.map((part) => until("it is there again", () => read(part).catch(() => null))),
      );
      for (const [index, state] of states.entries()) {
        assert.equal(ownerOf(state, 3), "app-a");
        assert.equal(again[index]!.engine.world, world);
      }
      const newest = states[0]!;
      assert.equal((await change(again[0]!, newest.version, claimed(newest, 4, "app-b"))).kind, "done");
    });
  });
}

/** What lies between the server and an engine outside of it. (What the way to voters does, the simulation of `members` lives through.) */
export function describeWay(name: string, skip: string | false, make: Make<WiredPart>): void {
  // Each has an engine of its own, and mostly waits for what is lost on the way.
  describe(`the way to the register in ${name}`, { skip, concurrency: 3 }, () => {
    test("a change whose answer is lost is unknown, and the next read settles it", async (t) => {
      const engine = await make(t);
      const part = await engine.open("a");
      const first = await begin(part);
      part.loseAnswers();
      const outcome = await change(part, 1, claimed(first, 5, "app-a"));
      assert.equal(outcome.kind, "unknown");
      assert.ok(part.engine.changeTrouble);
      part.mend();
      const settled = (await read(part))!;
      assert.equal(ownerOf(settled, 5), "app-a");
      assert.equal(settled.version, 2);
      const next = await change(part, settled.version, claimed(settled, 6, "app-a"));
      assert.equal(next.kind, "done");
      assert.equal(part.engine.changeTrouble, null);
    });

    test("a change that arrives after a read that did not show it never happens", async (t) => {
      const engine = await make(t);
      const part = await engine.open("a");
      const first = await begin(part);
      part.holdQuestions();
      const outcome = await change(part, 1, claimed(first, 5, "app-a"));
      assert.equal(outcome.kind, "unknown");
      part.passQuestions();
      const settled = (await read(part))!;
      assert.equal(settled.version, 1);
      assert.equal(ownerOf(settled, 5), null);
      assert.ok(part.deliver() > 0);
      const other = await engine.open("b");
      // Longer than a late change takes to be done.
      await sleep(300);
      for (const each of [part, other]) assert.equal(ownerOf((await read(each))!, 5), null);
      assert.equal((await change(part, 1, claimed(settled, 6, "app-b"))).kind, "done");
      assert.equal(ownerOf((await read(other))!, 6), "app-b");
    });

    test("who watches is told without asking, and again after a cut", async (t) => {
      const engine = await make(t);
      const [one, two] = [await engine.open("a"), await engine.open("b")];
      let state = await begin(one);
      await begin(two);
      const versions: number[] = [];
      two.engine.register.watch(({ version }) => versions.push(version));
      const changeAndAwait = async (slot: number): Promise<void> => {
        const outcome = await change(one, state.version, claimed(state, slot, "app-a"));
        assert.equal(outcome.kind, "done");
        state = (outcome as { state: Versioned<SlotMap> }).state;
        await until(`version ${state.version} is told`, () => versions.at(-1) === state.version);
      };
      for (let slot = 0; slot < 5; slot++) await changeAndAwait(slot);
      two.cut();
      await assert.rejects(read(two));
      two.mend();
      await until("it answers again", () => read(two).catch(() => null));
      await changeAndAwait(6);
      assert.deepEqual(
        versions,
        versions.toSorted((a, b) => a - b),
      );
    });

    test("slow answers are answers", async (t) => {
      const engine = await make(t);
      const part = await engine.open("a");
      const first = await begin(part);
      part.delay(100);
      assert.equal((await change(part, 1, claimed(first, 5, "app-a"))).kind, "done");
      assert.equal((await read(part))!.version, 2);
    });

    test("a trouble is told once with who was asked, and its end", async (t) => {
      const engine = await make(t);
      const part = await engine.open("a");
      await begin(part);
      part.cut();
      for (let i = 0; i < 2; i++) await assert.rejects(read(part));
      assert.equal(part.problems.length, 1);
      assert.match(part.problems[0]!, /127\.0\.0\.1.*(start it|network)/);
      assert.ok(part.engine.problem);
      part.mend();
      await until("it answers again", () => read(part).catch(() => null));
      assert.equal(part.mended.length, 1);
      assert.equal(part.problems.length, 1);
    });
  });
}
