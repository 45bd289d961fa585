/**
 * What a web server's main process and its workers tell each other, over the channel that Node opens between a process and
 * its child. After `flotilla upgrade` the two may be of different releases: `workerProtocol` grows with every change that an
 * older side would not understand, and a worker that finds another one refuses to begin.
 */
import type { ClusterFile, Endpoint } from "../config/model.ts";
import type { ServerNews } from "../health/server-news.ts";
import type { LoadRecord } from "../load/record.ts";
import type { WorkerReport } from "../member/member.ts";
import type { MovedAddresses } from "../member/moved-addresses.ts";

export const workerProtocol = 2;

export type ToWorker =
  /** The first message. `file`: null for what the disk holds now. */
  | {
      readonly kind: "begin";
      readonly protocol: number;
      readonly file: ClusterFile | null;
      readonly news: readonly ServerNews[];
    }
  /** With the socket's handle. */
  | { readonly kind: "socket"; readonly endpoint: Endpoint }
  | {
      readonly kind: "no-socket";
      readonly endpoint: Endpoint;
      readonly code: string;
      readonly message: string;
    }
  /** Make all ready that this file needs; `prepared` answers. `commit` or `discard` follows. */
  | { readonly kind: "prepare"; readonly file: ClusterFile }
  /** It is in force; `committed` answers. */
  | { readonly kind: "commit" }
  | { readonly kind: "discard" }
  /** Of app servers: what main found out, or an operator wants. Those that are not named are as they were. */
  | { readonly kind: "servers"; readonly news: readonly ServerNews[] }
  /** What an app server's agent tells of its load. */
  | { readonly kind: "load"; readonly name: string; readonly record: LoadRecord }
  /** Asks for a report; what was told before is in force when it comes. */
  | { readonly kind: "report" }
  /** Accept no more, end what is open, then the process. `idleMs`: idle connections are kept for so long. */
  | { readonly kind: "drain"; readonly idleMs: number }
  /** The access log goes on in a new file of its name. */
  | { readonly kind: "reopen-logs" }
  /** What one of the workers has told; all get it in the same order, whoever has told it too. */
  | { readonly kind: "moved"; readonly addresses: MovedAddresses }
  /** While it drains: cut what is open. */
  | { readonly kind: "cut" };

export type FromWorker =
  /** Asks for the socket of an address under `listen:`. */
  | { readonly kind: "open"; readonly endpoint: Endpoint }
  /** It takes requests. `file`: as it read it; whoever replaces it shall have the same. */
  | { readonly kind: "ready"; readonly urls: readonly string[]; readonly file: ClusterFile }
  /** It can't begin, and ends. */
  | { readonly kind: "failed"; readonly code: string; readonly message: string }
  | {
      readonly kind: "prepared";
      readonly failure: { readonly code: string; readonly message: string } | null;
    }
  | { readonly kind: "committed"; readonly urls: readonly string[] }
  /** For the other workers. */
  | { readonly kind: "moved"; readonly addresses: MovedAddresses }
  | { readonly kind: "report"; readonly report: WorkerReport };
