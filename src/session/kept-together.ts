/** An application that keeps sessions in two places: those that its server keeps, or one database, and other databases. */
import type { StreamKind, StreamService } from "../link/api.ts";
import type { StopCheck } from "../member/member.ts";
import type { SessionAdmin } from "./admin/session-admin.ts";
import type { KeptSessions } from "./kept.ts";

export class KeptTogether implements KeptSessions {
  readonly #first: KeptSessions;
  readonly #all: readonly KeptSessions[];

  /** @param first which operators see. */
  constructor(first: KeptSessions, others: readonly KeptSessions[]) {
    this.#first = first;
    this.#all = [first, ...others];
  }

  get admin(): SessionAdmin {
    return this.#first.admin;
  }

  get services(): ReadonlyMap<StreamKind, StreamService> {
    return this.#first.services;
  }

  async open(): Promise<void> {
    await Promise.all(this.#all.map((each) => each.open()));
  }

  start(): void {
    for (const each of this.#all) each.start();
  }

  async ready(timeoutMs: number): Promise<void> {
    await Promise.all(this.#all.map((each) => each.ready(timeoutMs)));
  }

  async leave(until: () => number): Promise<void> {
    await Promise.all(this.#all.map((each) => each.leave(until)));
  }

  standAside(isAside: boolean): void {
    for (const each of this.#all) each.standAside(isAside);
  }

  get mustSave(): boolean {
    return this.#all.some(({ mustSave }) => mustSave);
  }

  async save(): Promise<boolean> {
    const saved = await Promise.all(this.#all.map((each) => each.save()));
    return saved.every((isSaved) => isSaved);
  }

  get unsaved(): StopCheck | null {
    return this.#all.find(({ unsaved }) => unsaved !== null)?.unsaved ?? null;
  }

  giveUp(): void {
    for (const each of this.#all) each.giveUp();
  }

  stop(): void {
    for (const each of this.#all) each.stop();
  }

  /** Databases are in want of nothing. */
  stopCheck(others: readonly string[]): StopCheck {
    return this.#first.stopCheck(others);
  }
}
