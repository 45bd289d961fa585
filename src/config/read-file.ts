/** Reads one small text file whole, or says in words why not. Never waits (a pipe) and never reads without end. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { codeOf, messageOf } from "../support/errors.ts";
import { formatSize } from "./quantities.ts";

export type FileText =
  | { readonly text: string; readonly trouble: null }
  | { readonly text: null; readonly trouble: string };

/** @returns the text, or the trouble as the end of a sentence ("there is no such file"); never the content. */
export function readTextFile(path: string, bytesMax: number): FileText {
  let descriptor: number;
  try {
    // O_NONBLOCK: opening a named pipe that nobody writes would wait for ever.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (thrown) {
    return failed(reasonOf(thrown));
  }
  try {
    if (!fstatSync(descriptor).isFile()) return failed("it is not a file");
    const buffer = Buffer.alloc(bytesMax + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length <= bytesMax; length += got) {
      got = readSync(descriptor, buffer, length, buffer.length - length, null);
    }
    if (length > bytesMax) return failed(`it is larger than ${formatSize(bytesMax)}`);
    return decode(buffer.subarray(0, length));
  } catch (thrown) {
    return failed(reasonOf(thrown));
  } finally {
    closeSync(descriptor);
  }
}

function decode(bytes: Buffer): FileText {
  if (bytes.includes(0)) return failed("it is not a text file");
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), trouble: null };
  } catch {
    return failed("it is not UTF-8 text");
  }
}

function failed(trouble: string): FileText {
  return { text: null, trouble };
}

function reasonOf(thrown: unknown): string {
  switch (codeOf(thrown)) {
    case "ENOENT":
      return "there is no such file";
    case "ENOTDIR":
      return "a part of its path is not a folder";
    case "EACCES":
    case "EPERM":
      return "this user has no permission to read it";
    case "EISDIR":
      return "it is a folder";
    case "ENXIO":
      return "it is not a file";
    default:
      return messageOf(thrown);
  }
}
