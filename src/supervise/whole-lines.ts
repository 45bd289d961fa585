/** Lines of several processes on one output, none of them torn by another: a pipe takes only 4 KiB as a whole. */
import type { Readable, Writable } from "node:stream";

const newline = 0x0a;

/** Passes on what comes, up to the end of the last whole line; the rest waits for its end, and for the source's. */
export function printWholeLines(source: Readable, target: Writable): void {
  let rest: Buffer[] = [];
  source.on("data", (bytes: Buffer) => {
    const end = bytes.lastIndexOf(newline) + 1;
    if (end === 0) return void rest.push(bytes);
    const lines = Buffer.concat([...rest, bytes.subarray(0, end)]);
    rest = end === bytes.length ? [] : [bytes.subarray(end)];
    if (target.write(lines)) return;
    // Whoever reads us is slow: the source waits, and drops lines of its own when that takes too long.
    source.pause();
    target.once("drain", () => source.resume());
  });
  source.on("end", () => {
    if (rest.length > 0) target.write(Buffer.concat(rest));
  });
  source.on("error", () => {});
}
