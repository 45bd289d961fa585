/** This process as a member of the cluster: which server of which file it is, and what it tells of itself. */
import { randomBytes } from "node:crypto";
import type { Cluster, ClusterFile, Server } from "../config/model.ts";
import { isNewer, readServerWords, type ServerWords } from "../health/operator-words.ts";
import type { SeenServer } from "../health/seen-servers.ts";
import type { Order, ServerView } from "../health/server-news.ts";
import { count } from "../support/words.ts";

export type ServerState = "up" | "starting" | "draining" | "maintenance" | "down";

export class Member {
  readonly file: ClusterFile;
  readonly server: Server;
  readonly cluster: Cluster;
  /** Another one for every start of the process. */
  readonly incarnation: string = randomBytes(9).toString("base64url");
  state: ServerState = "starting";
  /** Requests answered or being answered since the start. */
  requests = 0;
  /** Living sessions in this process; set by whoever keeps them. */
  sessionCount: () => number = () => 0;
  /** Where sessions are kept on two servers: how this process stands with them; set likewise. */
  slotCounts: (() => SlotCounts) | null = null;
  /** Where sessions are kept in a database; set likewise. */
  sessionStore: (() => SessionStoreStatus) | null = null;
  /** The register of its cluster's sessions, as it stands from here; set likewise. */
  register: RegisterView | null = null;
  /** Why sessions can't be written to disk, where they are to be; set likewise. */
  diskProblem: () => string | null = () => null;

  /** What a stop of this server together with those others would be in want of; set likewise. */
  stopCheck: (others: readonly string[]) => StopCheck = () => ({ sessions: 0, problem: null });
  /** It has come to its end, and stays only to write these sessions; `problem` says why that failed. Set likewise. */
  holding: (() => StopCheck | null) | null = null;

  /** Called when `order` has changed; set likewise. */
  onOrder: () => void = () => {};
  #ordered: ServerWords["order"] = null;

  constructor(file: ClusterFile, server: Server) {
    this.file = file;
    this.server = server;
    this.cluster = file.clusters.get(server.cluster)!;
  }

  /** A supervisor starts it again when it ends: it gives this variable to what it starts. */
  get isKeptRunning(): boolean {
    return process.env.FLOTILLA_SUPERVISED === this.server.name;
  }

  /** What an operator wants of this server, as web servers have told it. */
  get order(): Order {
    return this.#ordered?.value ?? "ready";
  }

  /** @param words ServerWords of this server, as they came; older ones than those that are known are of no account. */
  hearOrder(words: unknown): void {
    const heard = readServerWords(words);
    if (heard?.name !== this.server.name || !isNewer(heard.order, this.#ordered)) return;
    this.#ordered = heard.order;
    this.onOrder();
  }

  status(): MemberStatus {
    return {
      name: this.server.name,
      cluster: this.cluster.name,
      letter: this.server.letter,
      state: this.state,
      pid: process.pid,
      incarnation: this.incarnation,
      isKeptRunning: this.isKeptRunning,
      requests: this.requests,
      sessions: this.sessionCount(),
      ...this.slotCounts?.(),
      ...(this.sessionStore === null ? {} : { sessionStore: this.sessionStore() }),
      ...this.#troubles(),
    };
  }

  #troubles(): Pick<
    MemberStatus,
    "registerEngine" | "voterProblem" | "registerProblem" | "diskProblem" | "note"
  > {
    const { name = null, problem = null } = this.register ?? {};
    const diskProblem = this.diskProblem();
    const held = this.holding?.() ?? null;
    return {
      ...(name === null || name === "members" ? {} : { registerEngine: name }),
      ...(problem === null
        ? {}
        : name === "members"
          ? { voterProblem: problem }
          : { registerProblem: problem }),
      ...(diskProblem === null ? {} : { diskProblem }),
      ...(held === null ? {} : { note: heldInWords(held) }),
    };
  }
}

/** Of a server that stays only to write its sessions: a sentence about it. */
export function heldInWords({ sessions, problem }: StopCheck): string {
  const why = problem === null ? "it is writing them" : problem;
  return `it keeps ${count(sessions, "session")} that no other server has, until they are on disk; ${why}`;
}

/** What operators ask of the register: register/engine.ts has it all. */
export interface RegisterView {
  /** Who keeps it. */
  readonly name: string;
  /** What is wrong with that as seen from here, and what to do; null: nothing. */
  readonly problem: string | null;
  readonly move: {
    readonly isDone: boolean;
    check(): Promise<void>;
    run(): Promise<void>;
  } | null;
}

/** Whether a server may be stopped in order. */
export interface StopCheck {
  /** Those that only servers have which stop. */
  readonly sessions: number;
  /** Why they can't be saved, for a person; null: they can, or there are none. */
  readonly problem: string | null;
}

export interface SlotCounts {
  /** Session slots that it owns. */
  readonly slots: number;
  /** Those that it owns or backs up, or is being given; of one of an older release not told. */
  readonly keptSlots?: number;
  /** Those of them of which no other server has a copy. */
  readonly singleCopySlots: number;
  /** The sessions in these. */
  readonly singleCopySessions: number;
  /** Servers that are being given a second copy, by name. */
  readonly copyingTo: readonly string[];
  /** Of the sessions that had one copy at worst, since all last had two: how many have, or were sent to, a second server. */
  readonly copiedPercent: number;
  /** It has read the register, so a majority of the voters answered, within the last seconds. */
  readonly seesRegister: boolean;
}

/** A database with sessions, as one process sees it. */
export interface SessionStoreStatus {
  /** "PostgreSQL at 10.0.0.5:5432". */
  readonly name: string;
  /** Why it is not asked now, for a person; null: it is. */
  readonly problem: string | null;
  /** For how long; 0 without a problem. */
  readonly problemForMs: number;
}

/** What a worker of a web server tells its main process of itself. */
export interface WorkerReport {
  /** Answered or being answered since its start. */
  readonly requests: number;
  /** Being read, answered, or upgraded. */
  readonly openRequests: number;
  readonly connections: number;
  /** All clusters of its routes, when no server of any of them takes requests; else none. */
  readonly unserved: readonly string[];
  /** The app servers that its routes lead to. */
  readonly servers: readonly ServerView[];
}

/** One process of a web server; what it has counted is of its whole life. */
export interface WorkerStatus {
  readonly pid: number;
  /** `stuck`: it has not answered its main process for some seconds. */
  readonly state: "up" | "starting" | "draining" | "stuck";
  readonly requests: number;
  readonly connections: number;
}

/** What an operator wants of an app server. */
export interface OperatorOrder {
  readonly name: string;
  readonly order: Order;
  /** When that was said: milliseconds since 1970; null: never. */
  readonly orderedAtMs: number | null;
  /** "5", or "50%" of the file's; null: the file's. */
  readonly weight: string | null;
}

/** One row of `flotilla status --json`. */
export interface MemberStatus extends Partial<SlotCounts> {
  readonly name: string;
  readonly cluster: string;
  readonly letter: string;
  readonly state: ServerState;
  /** The process that serves and holds the sessions; null when there is none. */
  readonly pid: number | null;
  /** Another one for every start of the process; of those that were asked. */
  readonly incarnation?: string;
  /** A supervisor starts it again when it ends; of those that were asked. */
  readonly isKeptRunning?: boolean;
  readonly requests: number;
  /** Those that it owns; 0 where they are in a database. */
  readonly sessions: number;
  /** Where they are, where that is a database. */
  readonly sessionStore?: SessionStoreStatus;
  /** Web servers: of browsers, open now. */
  readonly connections?: number;
  /** Web servers: the processes that do its work. */
  readonly workers?: readonly WorkerStatus[];
  /** Web servers: what these see of the app servers that its routes lead to. */
  readonly seen?: readonly SeenServer[];
  /** Web servers: the app servers that operators took out of service, or gave another weight. */
  readonly orders?: readonly OperatorOrder[];
  /** App servers: what an operator wants of it, and the web servers that say so; left out when that is nothing. */
  readonly order?: OperatorOrder & { readonly at: readonly string[] };
  /** What keeps the register, where that is not the servers themselves. */
  readonly registerEngine?: string;
  /** Its machine votes in the register, and can't write its vote: why, where, and what to do. Left out while it can. */
  readonly voterProblem?: string;
  /** The engine that keeps the register does not answer it as it should: who was asked, what happened, and what to do. */
  readonly registerProblem?: string;
  /** It can't write its sessions to its disk: why and where. Left out while it can, and where none are to be there. */
  readonly diskProblem?: string;
  /** What is wrong with it, most of the time because it is not up. */
  readonly note?: string;
}
