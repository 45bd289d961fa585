/** Puts load on one contender: wrk for saturation where it is installed, else our own generator; the tenth is ours. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isInstalled, pinned } from "./commands.ts";
import type { GeneratorResult, GeneratorSettings } from "./generator.ts";

export const connections = 64;

/** What a current Chrome sends for a page of a site that it has been to. */
export const browserHeaders: readonly (readonly [string, string])[] = [
  ["sec-ch-ua", '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"'],
  ["sec-ch-ua-mobile", "?0"],
  ["sec-ch-ua-platform", '"Linux"'],
  ["Upgrade-Insecure-Requests", "1"],
  [
    "User-Agent",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
  ],
  [
    "Accept",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
  ],
  ["Sec-Fetch-Site", "same-origin"],
  ["Sec-Fetch-Mode", "navigate"],
  ["Sec-Fetch-Dest", "document"],
  ["Accept-Encoding", "gzip, deflate, br, zstd"],
  ["Accept-Language", "en-GB,en;q=0.9,de;q=0.8"],
];
// With Host, which the generators send themselves, a browser's twelve fields.

export interface LoadReport {
  readonly requests: number;
  readonly perSecond: number;
  /** Null where the generator does not tell. */
  readonly p99Ms: number | null;
}

/** @throws when any request failed: a figure with failures in it says nothing. */
export async function saturate(port: number, durationMs: number): Promise<LoadReport> {
  if (isInstalled("wrk")) return wrk(`http://127.0.0.1:${port}/`, durationMs);
  return generate(port, durationMs, null);
}

/** @throws as `saturate`. */
export async function constantRate(
  port: number,
  durationMs: number,
  ratePerSecond: number,
): Promise<LoadReport> {
  return generate(port, durationMs, ratePerSecond);
}

/** @throws as `saturate`. */
export async function wrk(url: string, durationMs: number): Promise<LoadReport> {
  const headers = browserHeaders.flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const seconds = Math.max(1, Math.round(durationMs / 1_000));
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", ...headers, url];
  const stdout = await run(["wrk", ...args]);
  const [, requests, elapsed, unit] = /([0-9]+) requests in ([0-9.]+)(ms|s|m)/.exec(stdout) ?? [];
  const trouble = /Non-2xx.*|Socket errors.*/.exec(stdout);
  if (requests === undefined || trouble !== null) throw new Error(`wrk: ${trouble?.[0] ?? stdout}`);
  const elapsedS = Number(elapsed) * (unit === "ms" ? 0.001 : unit === "m" ? 60 : 1);
  return { requests: Number(requests), perSecond: Number(requests) / elapsedS, p99Ms: null };
}

/** Over HTTP/2: as many requests at a time, so many in all. @param streams of them on each connection. @throws as `saturate`. */
export async function h2load(url: string, requests: number, streams: number): Promise<LoadReport> {
  const headers = browserHeaders.flatMap(([name, value]) => ["-H", `${name.toLowerCase()}: ${value}`]);
  const stdout = await run([
    "h2load",
    `-c${connections / streams}`,
    `-m${streams}`,
    `-n${requests}`,
    ...headers,
    url,
  ]);
  const [, perSecond] = /finished in [^,]+, ([0-9.]+) req\/s/.exec(stdout) ?? [];
  if (perSecond === undefined || !stdout.includes(`status codes: ${requests} 2xx`))
    throw new Error(`h2load: ${stdout}`);
  return { requests, perSecond: Number(perSecond), p99Ms: null };
}

async function generate(port: number, durationMs: number, ratePerSecond: number | null): Promise<LoadReport> {
  const lines = browserHeaders.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const settings: GeneratorSettings = {
    address: "127.0.0.1",
    port,
    connections,
    request: `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${lines}\r\n`,
    ratePerSecond,
    durationMs,
  };
  const script = fileURLToPath(new URL("generator.ts", import.meta.url));
  const stdout = await run([process.execPath, script, JSON.stringify(settings)]);
  const result = JSON.parse(stdout) as GeneratorResult;
  if (result.failed > 0)
    throw new Error(`${result.failed} of ${result.answered + result.failed} requests failed`);
  return {
    requests: result.answered,
    perSecond: (result.answered * 1_000) / result.elapsedMs,
    p99Ms: result.p99Ms,
  };
}

async function run(command: readonly string[]): Promise<string> {
  const [program, ...args] = pinned("load", command);
  const { stdout } = await promisify(execFile)(program!, args);
  return stdout;
}
