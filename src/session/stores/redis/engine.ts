/** Sessions in Redis 6.2 and later, or Valkey: each operation is one script, and one round trip. */
import { redisStores as limits } from "../../../support/limits.ts";
import {
  endsAfterMs,
  type ListedRow,
  type NoticeChannel,
  type Replaced,
  type RowLife,
  type SessionEngine,
  SessionEngineError,
  type SessionRow,
  type SessionTouch,
  type SessionWrite,
} from "../engine.ts";
import type { RedisSource } from "./client.ts";
import { RedisConnection } from "./connection.ts";
import { RedisKeyList } from "./key-list.ts";
import { RedisNotices } from "./notices.ts";
import * as scripts from "./scripts.ts";
import { checkServer } from "./server-check.ts";
import { rowOf, writtenHolder } from "./value.ts";

const outcomes: readonly Replaced[] = ["gone", "changed", "done"];

export class RedisEngine implements SessionEngine {
  readonly name: string;
  readonly proveIntervalMs: number = 1_000;
  readonly #source: RedisSource;
  readonly #connection: RedisConnection;
  readonly #keyList: RedisKeyList;
  /** Of the key of a session, and of the channel of a holder. */
  readonly #keys: string;
  readonly #channels: string;
  readonly #notices: Set<RedisNotices> = new Set();
  #isChecked = false;

  constructor(source: RedisSource, prefix: string) {
    this.name = source.name;
    this.#source = source;
    this.#keys = `${source.keyPrefix}${prefix}s:`;
    this.#channels = `${source.keyPrefix}${prefix}n:`;
    this.#connection = new RedisConnection(source);
    this.#keyList = new RedisKeyList(this.#connection, this.#keys);
  }

  async open(): Promise<void> {
    await this.#connection.open();
    if (this.#isChecked) return;
    for (const node of await this.#connection.nodes()) await checkServer(node, this.#source);
    this.#isChecked = true;
  }

  async read(key: string): Promise<SessionRow | null> {
    const answer = await this.#connection.run(scripts.read, [this.#keys + key], [], false);
    return this.#row(key, answer);
  }

  async insert(key: string, write: SessionWrite, life: RowLife): Promise<boolean> {
    const { ageMs, absoluteTimeoutMs } = life;
    const absolute = absoluteTimeoutMs === Number.POSITIVE_INFINITY ? 0 : Math.ceil(absoluteTimeoutMs);
    const answer = await this.#connection.run(
      scripts.insert,
      [this.#keys + key],
      [idleOf(write), String(Math.floor(ageMs)), String(absolute), writtenHolder(write.holder), write.data],
    );
    return answer === 1;
  }

  async replace(key: string, version: number, write: SessionWrite): Promise<Replaced> {
    const holder = writtenHolder(write.holder);
    const writer = write.writer === write.holder ? holder : writtenHolder(write.writer);
    const answer = await this.#connection.run(
      scripts.replace,
      [this.#keys + key],
      [String(version), idleOf(write), holder, write.data, writer, this.#channels, key],
    );
    return outcomes[answer as number]!;
  }

  async touch(touches: readonly SessionTouch[]): Promise<void> {
    // A script's keys are on one node, so in a cluster each goes alone; all of them are on their way together.
    const atOnce = this.#source.isCluster ? 1 : limits.touchedAtOnceMax;
    const answers: Promise<unknown>[] = [];
    for (let from = 0; from < touches.length; from += atOnce) {
      const some = touches.slice(from, from + atOnce);
      const keys = some.map(({ key }) => this.#keys + key);
      answers.push(this.#connection.run(scripts.touch, keys, some.map(idleOf)));
    }
    await Promise.all(answers);
  }

  async remove(key: string, writer: string): Promise<void> {
    const args = [writtenHolder(writer), this.#channels, key];
    await this.#connection.run(scripts.remove, [this.#keys + key], args);
  }

  /** Redis does it. */
  removeExpired(_rowsMax: number): Promise<number> {
    return Promise.resolve(0);
  }

  async list(after: string, rowsMax: number): Promise<readonly ListedRow[]> {
    const listed: ListedRow[] = [];
    let last = after;
    while (listed.length < rowsMax) {
      const keys = await this.#keyList.page(last, rowsMax - listed.length);
      if (keys.length === 0) break;
      const rows = await Promise.all(keys.map((key) => this.#listed(key)));
      for (const [index, row] of rows.entries()) if (row !== null) listed.push({ ...row, key: keys[index]! });
      last = keys.at(-1)!;
    }
    return listed;
  }

  count(): Promise<number> {
    return this.#keyList.count();
  }

  async listen(holder: string, onChanged: (key: string) => void): Promise<NoticeChannel> {
    if (this.#source.isCluster) throw noNotices(this.name);
    const channel = this.#channels + writtenHolder(holder);
    const notices = await RedisNotices.open(this.#source, this.#connection, channel, onChanged);
    this.#notices.add(notices);
    return {
      prove: () => notices.prove(),
      close: () => {
        this.#notices.delete(notices);
        notices.close();
      },
    };
  }

  close(): Promise<void> {
    for (const notices of this.#notices) notices.close();
    this.#notices.clear();
    this.#keyList.close();
    this.#connection.close();
    return Promise.resolve();
  }

  async #listed(key: string): Promise<SessionRow | null> {
    try {
      return await this.read(key);
    } catch (error) {
      if (error instanceof SessionEngineError && error.outcome === "unfit") return unreadable;
      throw error;
    }
  }

  #row(key: string, answer: unknown): SessionRow | null {
    if (answer === null) return null;
    const [value, nowMs] = answer as [string, number];
    try {
      const row = rowOf(value, nowMs);
      return hasEnded(row) ? null : row;
    } catch (error) {
      throw new SessionEngineError(
        `${this.name}, ${this.#keys}${key}: ${(error as Error).message}`,
        "unfit",
        error,
      );
    }
  }
}

/** Redis has ended it by then, unless somebody took its expiry away (PERSIST, RESTORE). */
function hasEnded({ idleForMs, idleTimeoutMs, ageMs, absoluteTimeoutMs }: SessionRow): boolean {
  return idleForMs >= endsAfterMs(idleTimeoutMs) || ageMs >= absoluteTimeoutMs;
}

/** Somebody else wrote to its key. */
const unreadable: SessionRow = {
  ...{ data: "", version: Number.NaN, holder: "" },
  ...{ idleTimeoutMs: 0, idleForMs: 0, ageMs: 0, absoluteTimeoutMs: Number.POSITIVE_INFINITY },
};

function idleOf({ idleTimeoutMs }: { readonly idleTimeoutMs: number }): string {
  return String(Math.ceil(idleTimeoutMs));
}

/** Its nodes pass on what is published among themselves, without an order or a word of what was lost on the way: nothing could be proven. */
function noNotices(name: string): SessionEngineError {
  return new SessionEngineError(
    `${name} can't promise that notices arrive, so no copies are kept; \`load: always\` says the same without this line`,
    "nothing",
  );
}
