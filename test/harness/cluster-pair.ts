/**
 * Two app servers that keep sessions for each other, in one process and by its real clock: what connects them is a turn of the event loop,
 * and their register a variable.
 */
import type { CasOutcome, ReadDone, Register, Versioned } from "../../src/register/register.ts";
import { emptySlotMap, type SlotMap } from "../../src/register/slot-map.ts";
import { slotMapCodec } from "../../src/register/slot-map-codec.ts";
import { ClusterStore, type ServerMark } from "../../src/session/cluster/cluster-store.ts";
import { SessionNode } from "../../src/session/cluster/node.ts";
import type { PeerConnection } from "../../src/session/cluster/peer.ts";
import { protocolRules } from "../../src/session/cluster/rules.ts";
import { SessionIds } from "../../src/session/id.ts";
import { SessionMemory } from "../../src/session/table/session-memory.ts";
import { systemClock } from "../../src/support/clock.ts";
import { session as limits, replication } from "../../src/support/limits.ts";

const servers = ["app-a", "app-b"];
const marks: ReadonlyMap<string, ServerMark> = new Map(
  servers.map((server, n) => [server, { letter: "ab"[n]!, processIndex: 0 }]),
);

class SharedRegister {
  state: Versioned<SlotMap> | null = null;
  readonly listeners: Set<(state: Versioned<SlotMap>) => void> = new Set();

  client(): Register<SlotMap> {
    const shared = this;
    return {
      get known() {
        return shared.state;
      },
      read: (done: ReadDone<SlotMap>) => setImmediate(() => done(null, this.state)),
      compareAndSet: (expected: number, value: SlotMap, done: (outcome: CasOutcome<SlotMap>) => void) =>
        setImmediate(() => done(this.#change(expected, value))),
      watch: (listener: (state: Versioned<SlotMap>) => void) => {
        this.listeners.add(listener);
        return () => void this.listeners.delete(listener);
      },
    };
  }

  #change(expected: number, value: SlotMap): CasOutcome<SlotMap> {
    if ((this.state?.version ?? 0) !== expected) return { kind: "conflict", state: this.state! };
    const state = { version: expected + 1, value };
    this.state = state;
    for (const listener of this.listeners) listener(state);
    return { kind: "done", state };
  }
}

export class ClusterPair {
  readonly stores: readonly [ClusterStore, ClusterStore];
  readonly #nodes: readonly SessionNode[];

  private constructor() {
    const register = new SharedRegister();
    this.#nodes = servers.map((server) => nodeOf(server, register.client()));
    const ids = new SessionIds(Buffer.alloc(32), null, "app");
    const [a, b] = this.#nodes.map((node) => new ClusterStore({ node, ids, marks, random: Math.random }));
    this.stores = [a!, b!];
    connect(this.#nodes[0]!, this.#nodes[1]!);
  }

  /** Resolves when every session has an owner and a backup. */
  static async start(): Promise<ClusterPair> {
    const pair = new ClusterPair();
    for (const node of pair.#nodes) node.start();
    while (!pair.#isWhole) await new Promise((resolve) => setTimeout(resolve, 20));
    return pair;
  }

  get #isWhole(): boolean {
    const map = this.#nodes[0]!.context.map;
    return map?.value.slots.every(({ owner, backup }) => owner !== null && backup !== null) ?? false;
  }

  stop(): void {
    for (const node of this.#nodes) node.stop();
  }
}

function nodeOf(server: string, register: Register<SlotMap>): SessionNode {
  return new SessionNode({
    self: { server, incarnation: "1" },
    servers: servers.map((each) => ({ server: each, machine: each })),
    register,
    registerId: () => "register",
    firstMap: emptySlotMap(new Map([...marks].map(([each, { letter }]) => [each, letter]))),
    mapCodec: slotMapCodec,
    clock: systemClock,
    memory: new SessionMemory(),
    disk: null,
    diskBytesMax: Number.POSITIVE_INFINITY,
    sessionsMax: limits.sessionsMax,
    memoryBytesMax: limits.memoryBytesMax,
    transferPartBytes: replication.transferPartBytes,
    later: (callback) => process.nextTick(callback),
    rules: protocolRules,
    observer: {
      ...{ onCommit() {}, onRole() {}, onRecovered() {}, onEvicted() {}, onMemoryHeld() {} },
      onEvent() {},
    },
  });
}

/** Frames arrive in a later turn, in order. */
function connect(one: SessionNode, other: SessionNode): void {
  const way = (server: string, to: () => SessionNode, from: () => PeerConnection): PeerConnection => {
    const send = (frame: Uint8Array): void => {
      const copy = Buffer.from(frame);
      setImmediate(() => to().receive(from(), copy));
    };
    return { server, incarnation: "1", tellsDisks: true, send, sendBeat: send };
  };
  const toOther: PeerConnection = way(
    servers[1]!,
    () => other,
    () => toOne,
  );
  const toOne: PeerConnection = way(
    servers[0]!,
    () => one,
    () => toOther,
  );
  one.connectionUp(toOther);
  other.connectionUp(toOne);
}
