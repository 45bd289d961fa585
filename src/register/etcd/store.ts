/**
 * The cell of `coordination: etcd`: one key, replaced by transactions on its revision. Reads are linearizable, which is
 * etcd's default; no leases and no locks, and no clock of etcd's, decide anything.
 */
import type { EtcdSettings } from "../../config/model.ts";
import { systemClock, type Timer } from "../../support/clock.ts";
import { FlotillaError } from "../../support/errors.ts";
import { etcd as limits } from "../../support/limits.ts";
import { damaged } from "../bytes.ts";
import { type Cell, type CellStore, type SwapOutcome, SwapRefused } from "../cell/cell.ts";
import { EtcdClient, type EtcdStream, wasRefused } from "./client.ts";
import type { Fields } from "./fields.ts";

export class EtcdStore implements CellStore {
  readonly attemptTimeoutMs: number = limits.attemptTimeoutMs;
  readonly #client: EtcdClient;
  /** In base64. */
  readonly #key: string;
  #onCell: (cell: Cell) => void = () => {};
  #watch: EtcdStream | null = null;
  #pause: Timer | null = null;
  #stopped = false;

  /** @throws the system's error when a file of `tls:` can't be used. */
  constructor(settings: EtcdSettings, cluster: string) {
    this.#client = new EtcdClient(settings);
    this.#key = Buffer.from(settings.prefix + cluster).toString("base64");
  }

  async get(timeoutMs: number): Promise<Cell | null> {
    const answer = await this.#ask("/v3/kv/range", { key: this.#key }, timeoutMs);
    return meant(() => this.#cellOf(answer));
  }

  async swap(expected: string | null, bytes: Buffer, timeoutMs: number): Promise<SwapOutcome> {
    const key = this.#key;
    // Of a key that does not exist it is 0.
    const compare = [{ key, target: "MOD", result: "EQUAL", mod_revision: expected ?? "0" }];
    const success = [{ request_put: { key, value: bytes.toString("base64") } }];
    const failure = [{ request_range: { key } }];
    const question = { compare, success, failure };
    const answer = await this.#ask("/v3/kv/txn", question, timeoutMs).catch((error: FlotillaError) => {
      throw wasRefused(error.cause) ? new SwapRefused(error.message, "yes", error.cause) : error;
    });
    return meant((): SwapOutcome => {
      if (answer.flag("succeeded"))
        return { isDone: true, revision: answer.part("header").revision("revision") };
      const [first] = answer.parts("responses", 1);
      if (first === undefined) throw new Error("responses is not as etcd answers");
      return { isDone: false, cell: this.#cellOf(first.part("response_range")) };
    });
  }

  watch(onCell: (cell: Cell) => void): void {
    this.#onCell = onCell;
    this.#openWatch();
  }

  stop(): void {
    this.#stopped = true;
    this.#pause?.cancel();
    this.#watch?.close();
    this.#client.close();
  }

  async #ask(path: string, question: object, timeoutMs: number): Promise<Fields> {
    try {
      return await this.#client.ask(path, question, timeoutMs);
    } finally {
      // Whoever does not answer a question does not tell of changes either, and a cut is told to nobody.
      if (this.#watch !== null && this.#watch.endpoint !== this.#client.endpoint) this.#watchAgain();
    }
  }

  /** From now on: a missed change is found by the read after it, so that no revision has to be resumed at, or be compacted. */
  #openWatch(): void {
    const question = { create_request: { key: this.#key } };
    this.#watch = this.#client.stream("/v3/watch", question, {
      onMessage: (message) => this.#hear(message.part("result")),
      onEnd: () => this.#watchAgain(),
    });
  }

  #watchAgain(): void {
    this.#watch?.close();
    this.#watch = null;
    if (this.#stopped || this.#pause !== null) return;
    this.#pause = systemClock.after(limits.watchPauseMs, () => {
      this.#pause = null;
      this.#openWatch();
    });
  }

  /** @throws Error when it is not as etcd tells it; the stream is ended then. */
  #hear(result: Fields): void {
    if (result.flag("canceled")) throw new Error("the watch was ended");
    if (result.flag("created")) {
      void this.get(limits.attemptTimeoutMs).then(
        (cell) => {
          if (cell !== null && !this.#stopped) this.#onCell(cell);
        },
        () => {
          // The reads of the register tell of it.
        },
      );
    }
    const last = result.parts("events", limits.eventsMax).at(-1);
    if (last === undefined || last.words("type") === "DELETE") return;
    this.#onCell(this.#cellAt(last.part("kv")));
  }

  #cellOf(range: Fields): Cell | null {
    const [kv] = range.parts("kvs", 1);
    return kv === undefined ? null : this.#cellAt(kv);
  }

  #cellAt(kv: Fields): Cell {
    return {
      revision: kv.revision("mod_revision"),
      bytes: kv.bytes("value", limits.valueBytesMax),
    };
  }
}

/** @throws FlotillaError FLOTILLA_REGISTER_DAMAGED for what etcd would not answer. */
function meant<R>(read: () => R): R {
  try {
    return read();
  } catch (error) {
    if (error instanceof FlotillaError) throw error;
    throw damaged(`etcd answered what can't be understood: ${(error as Error).message}`);
  }
}
