/** What is wrong with a disk, and what a person can do, from the errors of the system and of SQLite. */
import { codeOf, messageOf } from "../../support/errors.ts";

/** Primary result codes. */
export const SqliteCode = {
  permission: 3,
  busy: 5,
  readOnly: 8,
  inputOutput: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notDatabase: 26,
} as const;

/** @returns SQLite's, without its details; 0 when it is none of its errors. */
export function primaryCode(error: unknown): number {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return 0;
  return Number(error.errcode) & 0xff;
}

/** The system's code for it: SQLite has its own for some of them. */
export function diskCodeOf(error: unknown): string {
  switch (primaryCode(error)) {
    case SqliteCode.full:
      return "ENOSPC";
    case SqliteCode.readOnly:
      return "EROFS";
    case SqliteCode.inputOutput:
      return "EIO";
    case SqliteCode.permission:
    case SqliteCode.cannotOpen:
      return "EACCES";
    default:
      return codeOf(error);
  }
}

/** It says by itself what is wrong with the disk. */
export function isWellKnown(error: unknown): boolean {
  return /^(?:ENOSPC|EDQUOT|EROFS|EACCES|EPERM|ENOTDIR|ENOENT)$/.test(codeOf(error));
}

export function inWords(error: unknown): string {
  switch (diskCodeOf(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return "the disk is full";
    case "EROFS":
      return "its file system can only be read";
    case "EACCES":
    case "EPERM":
      return "this user has no permission";
    case "ENOTDIR":
    case "EEXIST":
      return "a part of its path is a file, not a folder";
    case "EISDIR":
      return "it is a folder";
    case "EIO":
      return "the disk reports errors";
    case "ENOENT":
      return "it is not there";
    default:
      return messageOf(error);
  }
}

/** With what is to be done about it: "the disk is full: make room". */
export function inWordsWithRemedy(error: unknown): string {
  const code = diskCodeOf(error);
  const what = code === "EDQUOT" ? "the quota of this user is used up" : inWords(error);
  return `${what}: ${remedyOf(code)}`;
}

function remedyOf(code: string): string {
  switch (code) {
    case "ENOSPC":
      return "make room";
    case "EDQUOT":
      return "make room, or raise it";
    case "EROFS":
      return "dmesg says why; stop this server, check the file system, mount it to be written, and start this server";
    case "EACCES":
    case "EPERM":
      return `give it back to user ${process.getuid?.() ?? "of this server"} (chown, chmod)`;
    case "EIO":
      return "dmesg says which; replace the disk";
    default:
      return "mend the folder";
  }
}
