/**
 * A process that keeps sessions in a file until it is killed, and prints what was acknowledged: "key number" or, of one that was removed,
 * "key removed". The data of a session are its number. Argument: folder.
 */
import { writeSync } from "node:fs";
import type { SessionWrite } from "../../src/session/stores/engine.ts";
import { fileStore } from "../../src/session/stores/file/index.ts";

const folder = process.argv[2]!;
const engine = fileStore({ folder });
const life = { ageMs: 0, absoluteTimeoutMs: Number.POSITIVE_INFINITY };
const visitors = 40;

function data(number: number): string {
  return JSON.stringify({ number, pad: "x".repeat((number * 37) % 3_000) });
}

/** One session after the other, each changed until it is ended. */
async function visit(visitor: number): Promise<void> {
  for (let session = 0; ; session++) {
    const key = `p${process.pid}v${visitor}s${session}`.padEnd(24, "_");
    const tell = (what: string | number): void => void writeSync(1, `${key} ${what}\n`);
    const write = (number: number): SessionWrite => ({
      data: data(number),
      writer: "",
      holder: "",
      idleTimeoutMs: 3_600_000,
    });
    await engine.insert(key, write(1), life);
    tell(1);
    for (let number = 2; number < 10 + visitor; number++) {
      const replaced = await engine.replace(key, number - 1, write(number));
      if (replaced !== "done") throw new Error(`${key} ${number}: ${replaced}`);
      tell(number);
      if (number % 5 === 0) await engine.touch([{ key, idleTimeoutMs: 3_600_000 }]);
    }
    if (session % 2 === 0) continue;
    await engine.remove(key, "");
    tell("removed");
  }
}

await engine.open();
await Promise.all(Array.from({ length: visitors }, (_, visitor) => visit(visitor)));
