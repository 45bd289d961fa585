/** One machine's disk as voters use it: one small file, what of it survives a power cut, and its lock. */
import type { VoteStorage } from "../../src/register/members/acceptor.ts";
import { unreachable } from "../../src/register/unreachable.ts";

const lockTriesMax = 100;

export class Disk {
  /** What survives a power cut. */
  durable: Buffer | null = null;
  /** What processes see. */
  file: Buffer | null = null;
  lockedBy: object | null = null;
  full = false;

  /** The process ended: the kernel takes its lock back. */
  unlockFrom(process: object): void {
    if (this.lockedBy === process) this.lockedBy = null;
  }
}

/** A process that reads and writes. */
export interface DiskUser {
  readonly identity: object;
  /** False: its writes answer before the bytes are safe. */
  readonly syncs: boolean;
  /** One step of the disk, which may be this process's last. */
  step(what: () => void): void;
  after(delayMs: number, what: () => void): void;
}

export function storageOn(disk: Disk, user: DiskUser): VoteStorage {
  return {
    lock: (done) => {
      let tries = 0;
      const take = (): void => {
        if (disk.lockedBy === null || disk.lockedBy === user.identity) {
          disk.lockedBy = user.identity;
          done(null, () => disk.unlockFrom(user.identity));
        } else if (++tries > lockTriesMax) done(unreachable("the lock is held"), () => {});
        else user.step(take);
      };
      user.step(take);
    },
    read: (done) => {
      const { file } = disk;
      // What another process wrote and did not live to sync is synced before it is believed.
      user.step(() => {
        if (user.syncs) disk.durable = disk.file;
        user.step(() => done(null, file));
      });
    },
    write: (bytes, done) => {
      if (disk.full) return user.step(() => done(unreachable("no space left")));
      user.step(() => {
        disk.file = bytes;
        if (!user.syncs) {
          user.after(200, () => {
            if (disk.file === bytes) disk.durable = bytes;
          });
          return done(null);
        }
        user.step(() => {
          disk.durable = bytes;
          user.step(() => done(null));
        });
      });
    },
  };
}
