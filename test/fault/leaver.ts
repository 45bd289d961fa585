/**
 * Visitors who come, do something and log out, one after the other. An id whose logout was acknowledged is tried
 * again, by every server, as whoever copied the cookie would.
 */
import type { Random } from "../../src/support/clock.ts";
import { Browser, shownBy } from "./browser.ts";
import { Ledger, type Wrongs } from "./ledger.ts";
import type { Doors } from "./visitor.ts";

/** Ids of ended sessions that are remembered; the oldest make room. */
const goneMax = 100;
/** A save that is still under way when the logout comes. */
const slowMs = 100;

interface Gone {
  readonly ledger: Ledger;
  readonly browser: Browser;
}

export class Leaver {
  /** Logouts that were acknowledged. */
  logouts = 0;
  readonly #name: string;
  readonly #doors: Doors;
  readonly #wrongs: Wrongs;
  readonly #random: Random;
  readonly #gone: Gone[] = [];
  #visits = 0;
  #isWanted = false;
  #walk: Promise<void> = Promise.resolve();

  constructor(name: string, doors: Doors, wrongs: Wrongs, random: Random) {
    this.#name = name;
    this.#doors = doors;
    this.#wrongs = wrongs;
    this.#random = random;
  }

  start(): void {
    this.#isWanted = true;
    this.#walk = this.#comeAndGo();
  }

  async stop(): Promise<void> {
    this.#isWanted = false;
    await this.#walk;
  }

  /** Tries every id of an ended session at this door. */
  async checkAtRest(door: URL): Promise<void> {
    await Promise.all(this.#gone.map((gone) => this.#tryAgain(gone, door, true)));
  }

  async #comeAndGo(): Promise<void> {
    while (this.#isWanted) {
      await this.#visit();
      const gone = this.#gone[Math.floor(this.#random() * this.#gone.length)];
      if (gone !== undefined) await this.#tryAgain(gone, this.#anyDoor(), false);
    }
  }

  async #visit(): Promise<void> {
    const ledger = new Ledger(`${this.#name}-${++this.#visits}`, this.#wrongs);
    const browser = new Browser();
    const { web } = this.#doors;
    const begun = await browser.ask("POST", web, `/begin?token=${ledger.token}`);
    if (begun.status !== 200) return;
    const slow = browser.ask("POST", web, `/add?key=n0&waitMs=${slowMs}`);
    const left = await browser.ask("POST", web, "/logout");
    // Asked for at once after the logout's answer, and with the slow save's behind it.
    const gone = { ledger, browser };
    if (left.status === 200) {
      this.logouts++;
      this.#gone.push(gone);
      if (this.#gone.length > goneMax) this.#gone.shift();
      await this.#tryAgain(gone, this.#anyDoor(), false);
    }
    await slow;
  }

  #anyDoor(): URL {
    const { all } = this.#doors;
    return all[Math.floor(this.#random() * all.length)]!;
  }

  async #tryAgain({ ledger, browser }: Gone, door: URL, isInsisting: boolean): Promise<void> {
    const answer = isInsisting
      ? await browser.insist("GET", [door], "/")
      : await browser.ask("GET", [door], "/");
    if (answer.status === 200) ledger.checkGone(shownBy(answer), answer.where);
  }
}
