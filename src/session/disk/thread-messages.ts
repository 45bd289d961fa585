/** What the process and its database's thread say to each other. */
import type { CopyPlaceOnDisk, KeyInSlot, Renewal } from "../cluster/slot-disk.ts";
import type { StoredSession } from "./change-batch.ts";
import type { DatabaseSize } from "./copies-database.ts";

export interface ThreadData {
  readonly folder: string;
  readonly owner: string;
  readonly incarnation: string;
  /** What is there is of no use any more: it is put aside, and an empty one made. Null: it is of use. */
  readonly renewal: Renewal | null;
}

/** Times are on the database's clock: the milliseconds in which a process ran with it. */
export type Question =
  | { readonly kind: "read"; readonly slot: number; readonly key: string }
  | { readonly kind: "readAfter"; readonly slot: number; readonly key: string; readonly bytesMax: number }
  | {
      readonly kind: "expired";
      readonly slots: readonly number[];
      readonly before: number;
      readonly sessionsMax: number;
    }
  | { readonly kind: "longestIdle"; readonly slots: readonly number[]; readonly sessionsMax: number };

export interface NumberedQuestion {
  readonly id: number;
  readonly question: Question;
}

export type ToThread =
  | {
      readonly type: "write";
      readonly number: number;
      /** In memory that both see. */
      readonly changes: Uint8Array;
      readonly runningMs: number;
      readonly register: string;
    }
  | ({ readonly type: "ask" } & NumberedQuestion)
  /** What it answered can't be what was written, for this reason. */
  | { readonly type: "damaged"; readonly reason: string }
  | { readonly type: "close" };

/** Sessions for `read` and `readAfter`, places for the others. */
export interface Answer {
  readonly id: number;
  /** Why there is none, for a person. */
  readonly problem: string | null;
  readonly sessions: readonly StoredSession[];
  readonly places: readonly KeyInSlot[];
}

export interface Opened {
  readonly type: "opened";
  readonly found: ReadonlyMap<number, CopyPlaceOnDisk>;
  readonly runningMs: number;
  /** See `SlotDisk`. */
  readonly register: string;
  /** The last changes of this process that are in it; 0 for none. */
  readonly number: number;
  readonly size: DatabaseSize;
  /** Why a file was put aside, for the log. */
  readonly aside: string | null;
}

/** From a thread that has the database. */
export type Word =
  | {
      readonly type: "written";
      readonly number: number;
      readonly problem: string | null;
      /** The file is damaged or gone. */
      readonly isLost: boolean;
      readonly size: DatabaseSize;
    }
  | { readonly type: "answers"; readonly answers: readonly Answer[] }
  /** Something in it is not what was written there. */
  | { readonly type: "damaged"; readonly reason: string }
  | { readonly type: "closed" };

export interface NotOpened {
  readonly type: "notOpened";
  readonly reason: string;
  /** Nothing but a person can help, and the start has to say so. */
  readonly isMistake: boolean;
}

export type FromThread = Opened | NotOpened | Word;
