/** What serve() has to do with the sessions of its process, however they are kept: from its start to its orderly end. */
import type { StreamKind, StreamService } from "../link/api.ts";
import type { StopCheck } from "../member/member.ts";
import type { SessionAdmin } from "./admin/session-admin.ts";

export interface KeptSessions {
  /** For operators. */
  readonly admin: SessionAdmin;

  /** For the cluster port. */
  readonly services: ReadonlyMap<StreamKind, StreamService>;

  /**
   * What has to be there before the cluster port is open.
   * @throws FlotillaError FLOTILLA_SESSIONS_DISK
   */
  open(): Promise<void>;

  /** The cluster port is open: takes up what the last stop saved, and begins to take part. */
  start(): void;

  /** Ends when requests can be answered without waiting for others, or in time. */
  ready(timeoutMs: number): Promise<void>;

  /**
   * Hands over what other servers can take, while requests are still answered; ends when that is done, or can't be.
   * @param until on the clock; it may come nearer meanwhile.
   */
  leave(until: () => number): Promise<void>;

  /** An operator takes the server out of service: it keeps nothing that others can; or he puts it back. It goes on answering. */
  standAside(isAside: boolean): void;

  /** Whether something is left that has to be saved: it takes some of the drain time. */
  readonly mustSave: boolean;

  /** Answers nothing any more, and writes to disk what no other server has. @returns false when that failed; it may be called again. */
  save(): Promise<boolean>;

  /** While `save` is not done: what it has to write, and why it failed; null before and afterwards. */
  readonly unsaved: StopCheck | null;

  /** The process ends at once: tells how many are lost, if any are. */
  giveUp(): void;

  /** Ends at once. */
  stop(): void;

  /** What an orderly stop of this server and of those others would be in want of. */
  stopCheck(others: readonly string[]): StopCheck;
}
