/**
 * `npm run bench -- --https`: what a request costs over TLS, in HTTP/1.1 and in HTTP/2. The same contenders and the plain
 * application; connections stay open, so that no handshake is in the figures.
 */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pinned } from "./commands.ts";
import { Contender, type ContenderName, setups } from "./contenders.ts";
import { cpuTimeUs } from "./cpu-time.ts";
import type { Http2LoadResult, Http2LoadSettings } from "./http2-generator.ts";
import { browserHeaders, wrk } from "./load.ts";
import { median } from "./report.ts";

/** HTTP/2 with eight requests at a time on each of eight connections, and with one: pages with many parts, and without. */
const loads = {
  "HTTP/1.1": { connections: 64, streams: 0 },
  "HTTP/2": { connections: 8, streams: 8 },
  "HTTP/2, one at a time": { connections: 64, streams: 1 },
} as const;
type Load = keyof typeof loads;

interface Sample {
  readonly load: Load;
  readonly contender: ContenderName;
  readonly proxyUs: number;
  readonly appUs: number;
}

interface Settings {
  readonly rounds: number;
  readonly roundMs: number;
  readonly json: string | undefined;
}

/** Prints the medians. @throws when any request failed. */
export async function runHttpsBench(names: readonly ContenderName[], settings: Settings): Promise<void> {
  const running: Contender<ContenderName>[] = [];
  const samples: Sample[] = [];
  try {
    for (const name of names) running.push(await Contender.start(setups[name], "plain"));
    // The first round warms up.
    for (let round = 0; round <= settings.rounds; round++) {
      console.error(`https: round ${round} of ${settings.rounds}`);
      for (const load of Object.keys(loads) as Load[])
        for (const contender of running) {
          const found = await sample(contender, load, settings.roundMs);
          if (round > 0) samples.push(found);
        }
    }
  } finally {
    for (const contender of running) await contender.stop();
  }
  const rows = rowsOf(samples);
  console.log(rows.map(lineOf).join("\n"));
  if (settings.json !== undefined) writeFileSync(settings.json, `${JSON.stringify(rows, null, 2)}\n`);
}

async function sample(contender: Contender<ContenderName>, load: Load, durationMs: number): Promise<Sample> {
  const proxyBeforeUs = cpuTimeUs(contender.pids("proxy"));
  const appBeforeUs = cpuTimeUs(contender.pids("app"));
  const { connections, streams } = loads[load];
  const requests =
    streams === 0
      ? (await wrk(`https://127.0.0.1:${contender.tlsPort}/`, durationMs)).requests
      : await saturateHttp2(contender.tlsPort, durationMs, connections, streams);
  return {
    load,
    contender: contender.name,
    proxyUs: (cpuTimeUs(contender.pids("proxy")) - proxyBeforeUs) / requests,
    appUs: (cpuTimeUs(contender.pids("app")) - appBeforeUs) / requests,
  };
}

async function saturateHttp2(
  port: number,
  durationMs: number,
  connections: number,
  streams: number,
): Promise<number> {
  const pseudo = [
    [":method", "GET"],
    [":scheme", "https"],
    [":authority", `127.0.0.1:${port}`],
    [":path", "/"],
  ] as const;
  const fields = [...pseudo, ...browserHeaders.map(([name, value]) => [name.toLowerCase(), value] as const)];
  const settings: Http2LoadSettings = { port, connections, streams, fields, durationMs };
  const script = fileURLToPath(new URL("http2-generator.ts", import.meta.url));
  const [program, ...args] = pinned("load", [process.execPath, script, JSON.stringify(settings)]);
  const { stdout } = await promisify(execFile)(program!, args);
  const result = JSON.parse(stdout) as Http2LoadResult;
  if (result.failed > 0) throw new Error(`${result.failed} requests in HTTP/2 failed`);
  return result.answered;
}

function rowsOf(samples: readonly Sample[]): Sample[] {
  const groups = Map.groupBy(samples, ({ load, contender }) => `${load}/${contender}`);
  return [...groups.values()].map((own) => ({
    ...own[0]!,
    proxyUs: median(own.map(({ proxyUs }) => proxyUs)),
    appUs: median(own.map(({ appUs }) => appUs)),
  }));
}

function lineOf({ load, contender, proxyUs, appUs }: Sample): string {
  const figures = [proxyUs, appUs, proxyUs + appUs].map((us) => us.toFixed(1).padStart(8)).join("");
  return `  ${load.padEnd(24)}${contender.padEnd(10)}${figures}  CPU us/request: proxy, app, both`;
}
