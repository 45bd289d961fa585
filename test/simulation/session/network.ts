/**
 * Simulated connections between app servers. Within a connection frames keep their order; heartbeats have a way of their
 * own. A cut direction holds frames back until it is healed or the connection breaks; the two ends notice a break at
 * different times; of what was under way a beginning arrives, perhaps late, and the rest is lost.
 */
import type { SessionNode } from "../../../src/session/cluster/node.ts";
import type { PeerConnection } from "../../../src/session/cluster/peer.ts";
import { refusalBetween } from "./setup.ts";
import type { Process, World } from "./world.ts";

export interface Station {
  readonly process: Process;
  readonly node: SessionNode;
}

interface Way {
  readyAt: number;
  beatsReadyAt: number;
  readonly held: { order: number; frame: Uint8Array; isBeat: boolean; isForeign: boolean }[];
  /** Of a broken connection: what would arrive later is lost. */
  endsAt: number;
}

class Connection {
  readonly ends: readonly [Station, Station];
  readonly seen: readonly [PeerConnection, PeerConnection];
  readonly ways: readonly [Way, Way] = [newWay(), newWay()];
  isBroken = false;
  /** By the end that could not read what came: it takes nothing more. */
  readonly isRefused: [boolean, boolean] = [false, false];

  constructor(network: Network, one: Station, other: Station) {
    this.ends = [one, other];
    this.seen = [this.#seenBy(network, 0), this.#seenBy(network, 1)];
  }

  /** Whether the end still takes what comes over it. */
  isCurrent(end: 0 | 1): boolean {
    const { node } = this.ends[end];
    const { server } = this.seen[end];
    return node.context.peers.get(server)?.connection === this.seen[end];
  }

  /** What the end sees: the other process, and its way there. */
  #seenBy(network: Network, from: 0 | 1): PeerConnection {
    const { server, incarnation } = this.ends[from === 0 ? 1 : 0].process;
    return {
      server,
      incarnation,
      tellsDisks: this.ends.every(({ process }) => process.setup!.versions.highest >= 2),
      send: (frame) => network.send(this, from, Uint8Array.from(frame), false),
      sendBeat: (frame) => network.send(this, from, Uint8Array.from(frame), true),
    };
  }
}

/** A kind of message, or a field behind the last one, that only another version knows. */
function withForeignTail(world: World, frame: Uint8Array): Uint8Array {
  const tail = Buffer.from(
    world.pick(["63", "6300000000", "00000005", "3ff0000000000000", "000000016b", "7ff0000000000000"]),
    "hex",
  );
  return Buffer.concat([frame, tail]);
}

function newWay(): Way {
  return { readyAt: 0, beatsReadyAt: 0, held: [], endsAt: Number.POSITIVE_INFINITY };
}

export class Network {
  readonly #world: World;
  readonly #stations: Map<string, Station> = new Map();
  readonly #connections: Map<string, Connection> = new Map();
  /** Directions that are cut: "from>to", with how often. */
  readonly #cuts: Map<string, number> = new Map();
  /** Frames take up to so much longer. */
  slownessMs = 0;
  /** So many of the next frames get a tail that this version does not know. */
  foreignFrames = 0;
  foreignSent = 0;
  /** Those that were refused. */
  refusedFrames = 0;
  /** Told when one was taken as if it were known. */
  onTaken: (by: Process) => void = () => {};
  /** Links that did not come about. */
  refusals = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** A process began to listen. */
  attach(station: Station): void {
    const { server } = station.process;
    this.#stations.set(server, station);
    for (const other of this.#stations.keys()) if (other !== server) this.#connectSoon(server, other);
  }

  /** @param tells whether the others are told (a killed process) or have to notice (a lost machine). */
  detach(server: string, tells: boolean): void {
    this.#stations.delete(server);
    for (const [pair, connection] of this.#connections) {
      if (!pair.split("|").includes(server)) continue;
      this.break(pair, connection, tells ? 20 : 3_000);
    }
  }

  isCut(from: string, to: string): boolean {
    return (this.#cuts.get(`${from}>${to}`) ?? 0) > 0;
  }

  /** @param breaks a longer silence ends the connection. */
  cut(from: string, to: string, breaks: boolean = true): void {
    this.#cuts.set(`${from}>${to}`, (this.#cuts.get(`${from}>${to}`) ?? 0) + 1);
    const connection = this.#connections.get(pairOf(from, to));
    if (connection === undefined) return;
    if (!breaks) return;
    this.#world.after(this.#world.between(1_500, 7_000), null, () => {
      if (!this.isCut(from, to) || connection.isBroken) return;
      this.break(pairOf(from, to), connection, 500);
    });
  }

  heal(from: string, to: string): void {
    this.#cuts.set(`${from}>${to}`, this.#cuts.get(`${from}>${to}`)! - 1);
    if (this.isCut(from, to)) return;
    const connection = this.#connections.get(pairOf(from, to));
    if (connection === undefined) return;
    const side = connection.ends[0].process.server === from ? 0 : 1;
    const held = connection.ways[side].held.splice(0).sort((one, other) => one.order - other.order);
    for (const { order, frame, isBeat, isForeign } of held)
      this.#carry(connection, side, order, frame, isBeat, isForeign);
  }

  reset(one: string, other: string): void {
    const connection = this.#connections.get(pairOf(one, other));
    if (connection !== undefined) this.break(pairOf(one, other), connection, 300);
  }

  send(connection: Connection, from: 0 | 1, frame: Uint8Array, isBeat: boolean): void {
    const isForeign = this.foreignFrames > 0;
    if (isForeign) {
      this.foreignFrames--;
      this.foreignSent++;
    }
    const sent = isForeign ? withForeignTail(this.#world, frame) : frame;
    this.#carry(connection, from, this.#world.nextNumber(), sent, isBeat, isForeign);
  }

  #carry(
    connection: Connection,
    from: 0 | 1,
    order: number,
    frame: Uint8Array,
    isBeat: boolean,
    isForeign: boolean,
  ): void {
    const { random } = this.#world;
    const to = from === 0 ? 1 : 0;
    const sender = connection.ends[from].process.server;
    const receiver = connection.ends[to].process;
    const way = connection.ways[from];
    const isHeld = (): boolean => !connection.isBroken && this.isCut(sender, receiver.server);
    if (isHeld()) {
      way.held.push({ order, frame, isBeat, isForeign });
      return;
    }
    const arrivesAt = this.#world.now + 0.2 + random() ** 3 * (5 + this.slownessMs);
    const at = Math.max(arrivesAt, isBeat ? way.beatsReadyAt : way.readyAt);
    if (isBeat) way.beatsReadyAt = at;
    else way.readyAt = at;
    this.#world.after(at - this.#world.now, null, () => {
      // Cut while it was on its way: it is sent again when that is healed.
      if (isHeld()) way.held.push({ order, frame, isBeat, isForeign });
      else if (at <= way.endsAt) receiver.happen(() => this.#deliver(connection, to, frame, isForeign));
    });
  }

  #deliver(connection: Connection, to: 0 | 1, frame: Uint8Array, isForeign: boolean): void {
    const { node, process } = connection.ends[to];
    const isLast = connection.isRefused[to];
    if (isLast) return;
    if (node.receive(connection.seen[to], frame)) {
      if (isForeign && connection.isCurrent(to)) this.onTaken(process);
      return;
    }
    // Closed at once by whom it came to; the other end hears of it.
    this.refusedFrames++;
    connection.isRefused[to] = true;
    node.connectionDown(connection.seen[to]);
    this.break(pairOf(connection.ends[0].process.server, connection.ends[1].process.server), connection, 20);
  }

  break(pair: string, connection: Connection, noticedWithinMs: number): void {
    if (connection.isBroken) return;
    connection.isBroken = true;
    if (this.#connections.get(pair) === connection) this.#connections.delete(pair);
    for (const way of connection.ways) {
      // A beginning of what is under way still arrives: to one end that has not noticed, after the other has.
      way.endsAt = this.#world.now + (way.held.length > 0 ? 0 : this.#world.between(0, 60));
    }
    for (const side of [0, 1] as const) {
      const { process, node } = connection.ends[side];
      this.#world.after(this.#world.between(0, noticedWithinMs), process, () =>
        node.connectionDown(connection.seen[side]),
      );
    }
    const [one, other] = pair.split("|") as [string, string];
    this.#connectSoon(one, other);
  }

  #connectSoon(one: string, other: string): void {
    this.#world.after(this.#world.between(5, 150), null, () => this.#connect(one, other));
  }

  #connect(one: string, other: string): void {
    const pair = pairOf(one, other);
    const [first, second] = pair.split("|") as [string, string];
    const a = this.#stations.get(first);
    const b = this.#stations.get(second);
    if (a === undefined || b === undefined || this.#connections.has(pair)) return;
    if (refusalBetween(a.process, b.process) !== "") {
      // Each keeps what it began with: only another process may be taken.
      this.refusals++;
      return;
    }
    const canShakeHands =
      !this.isCut(first, second) && !this.isCut(second, first) && !a.process.isPaused && !b.process.isPaused;
    if (!canShakeHands) {
      this.#connectSoon(one, other);
      return;
    }
    const connection = new Connection(this, a, b);
    this.#connections.set(pair, connection);
    a.process.happen(() => a.node.connectionUp(connection.seen[0]));
    // The second end hears of it before the first frame arrives.
    b.process.happen(() => b.node.connectionUp(connection.seen[1]));
  }
}

function pairOf(one: string, other: string): string {
  return one < other ? `${one}|${other}` : `${other}|${one}`;
}
