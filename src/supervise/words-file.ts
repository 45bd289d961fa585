/**
 * Where a web server keeps what operators want of app servers, over its restarts: `<data>/orders/<web server>.json`. Whole
 * or as it was before: written to a second file, synced, renamed over the first, and the folder synced.
 */
import { mkdir, open, readFile, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readServerWords, type ServerWords } from "../health/operator-words.ts";
import { codeOf, FlotillaError, messageOf } from "../support/errors.ts";
import { operations as limits } from "../support/limits.ts";

export class WordsFile {
  readonly path: string;
  #isWriting: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(dataFolder: string, webServer: string) {
    this.path = join(dataFolder, "orders", `${webServer}.json`);
  }

  /**
   * @returns nothing when there is no file.
   * @throws FlotillaError FLOTILLA_ORDERS_UNREAD
   */
  async read(): Promise<readonly ServerWords[]> {
    try {
      const { size } = await stat(this.path);
      if (size > limits.fileBytesMax) throw new Error(`it has ${size} bytes`);
      const { servers } = JSON.parse(await readFile(this.path, "utf8")) as { servers: readonly unknown[] };
      return servers.map((value) => {
        const words = readServerWords(value);
        if (words === null) throw new Error(`no order: ${JSON.stringify(value)}`);
        return words;
      });
    } catch (error) {
      if (codeOf(error) === "ENOENT") return [];
      throw new FlotillaError(
        "FLOTILLA_ORDERS_UNREAD",
        `what operators wanted of app servers can't be read: ${this.path}: ${messageOf(error)}; other web servers are ` +
          "asked. Look with flotilla status whether all is as it should be",
        { cause: error },
      );
    }
  }

  /**
   * Resolves when what `content` gives is on the disk; calls while one write is under way share the next one.
   * @throws the system's error.
   */
  write(content: () => readonly ServerWords[]): Promise<void> {
    if (this.#isWriting === null) {
      this.#isWriting = this.#write(content()).finally(() => {
        this.#isWriting = null;
      });
      return this.#isWriting;
    }
    this.#next ??= this.#isWriting
      .catch(() => {})
      .then(() => {
        this.#next = null;
        return this.write(content);
      });
    return this.#next;
  }

  async #write(servers: readonly ServerWords[]): Promise<void> {
    const folder = dirname(this.path);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const whole = `${this.path}.next`;
    const file = await open(whole, "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ servers })}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(whole, this.path);
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}
