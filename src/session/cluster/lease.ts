/**
 * The right to serve for a while. An owner serves while its backup has promised not to take over (700 ms from the
 * sending of the heartbeat on which it promised), and while its own knowledge of the register is young (10 s from the begin of a
 * read), because servers that have heard nothing of owner and backup for long enough replace both.
 */
export class Lease {
  /** On this process's clock. */
  until: number = Number.NEGATIVE_INFINITY;

  extend(until: number): void {
    if (until > this.until) this.until = until;
  }
}

/** Of those who own nothing: never extended. */
export const noLease: Lease = Object.freeze(new Lease());
