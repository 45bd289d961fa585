/** What happens to one of the three app servers: the list that the drill, its tests and docs/health-drill.md share. */
import { setTimeout as sleep } from "node:timers/promises";
import type { AppServer } from "./app-server.ts";

export interface Fault {
  readonly name: string;
  readonly title: string;
  /** So long is looked on after the server is well. */
  readonly afterMs: number;
  /** From the stroke until the server is well. */
  readonly run: (victim: AppServer) => Promise<void>;
  /** The process dies, and can count no request that is sent to it then. */
  readonly dies: boolean;
}

const downMs = 6_000;
const frozenMs = 7_000;
/** Longer than three of HAProxy's checks take to fail. */
const illMs = 10_000;
const soonMs = 500;
/**
 * nginx tries a failed server again after 10 to 11 s: so it meets about as much of the slow time as on the average over all moments
 * at which a server may come back.
 */
const slowForMs = 8_000;
const flapMs = 2_000;
const flaps = 4;
/** nginx tries a failed server again after 10 s. */
const afterMs = 9_000;

export const faults: readonly Fault[] = [
  {
    name: "killed",
    title: `kill -9; started again after ${downMs / 1_000} s`,
    afterMs,
    dies: true,
    run: async (victim) => {
      await victim.kill();
      await sleep(downMs);
      await victim.start();
    },
  },
  {
    name: "frozen",
    title: `SIGSTOP, SIGCONT after ${frozenMs / 1_000} s`,
    afterMs,
    dies: false,
    run: async (victim) => {
      victim.freeze();
      await sleep(frozenMs);
      victim.thaw();
    },
  },
  {
    name: "mute",
    title: `accepts, and for ${illMs / 1_000} s never answers what it gets`,
    afterMs,
    dies: false,
    run: async (victim) => {
      victim.fallIll("mute");
      await sleep(illMs);
      victim.fallIll("none");
    },
  },
  {
    name: "erring",
    title: `answers 500 for ${illMs / 1_000} s`,
    afterMs,
    dies: false,
    run: async (victim) => {
      victim.fallIll("erring");
      await sleep(illMs);
      victim.fallIll("none");
    },
  },
  {
    name: "slow-start",
    title: `kill -9; started again after ${downMs / 1_000} s, and for ${slowForMs / 1_000} s each of its answers takes 400 ms`,
    afterMs,
    dies: true,
    run: async (victim) => {
      await victim.kill();
      await sleep(downMs);
      await victim.start({ SLOW_FOR_MS: String(slowForMs), SLOW_MS: "400" });
      await sleep(slowForMs);
    },
  },
  {
    name: "flapping",
    title: `kill -9 every ${flapMs / 1_000} s, ${flaps} times, started again at once`,
    afterMs: afterMs + 2_000,
    dies: true,
    run: async (victim) => {
      for (let flap = 1; flap <= flaps; flap++) {
        const next = sleep(flapMs);
        await victim.kill();
        await sleep(soonMs);
        await victim.start();
        if (flap < flaps) await next;
      }
    },
  },
];
