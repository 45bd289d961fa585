/** Whole web tiers for the fuzzer: what one seed sends through them, for requests and for answers. */
import { startTargets } from "../attack/targets.ts";
import { rawLinkApp } from "../harness/link-app.ts";
import { RawOrigin } from "../harness/raw.ts";
import { webSite } from "../harness/web-site.ts";
import { limits } from "./our-reader.ts";
import { answersThrough, requestsThrough } from "./through.ts";

/** A wrong seed should fail, not wait. */
const timeouts = { requestTimeoutMs: 5_000 };

export type SeedTrial = readonly [what: string, run: (seed: number) => Promise<void>];

/** @param scope whose end closes everything. */
export async function siteTrials(scope: {
  after(end: () => Promise<void> | void): void;
}): Promise<readonly SeedTrial[]> {
  const targets = await startTargets({ limits, timeouts }, scope);
  let parts: readonly Buffer[] = [];
  const serve = (next: readonly Buffer[]): void => {
    parts = next;
  };
  /** Each part in a turn of its own. */
  const inTurns = async (write: (part: Buffer) => void, end: () => void): Promise<void> => {
    for (const part of parts) {
      if (part.length > 0) write(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    end();
  };
  const origin = await RawOrigin.start(scope, (connection) => {
    void inTurns(
      (part) => connection.send(part),
      () => connection.end(),
    );
    return null;
  });
  const plain = await webSite(scope, [origin.port], { timeouts });
  const port = await rawLinkApp(scope, (stream) => {
    void inTurns(
      (part) => void stream.write(part),
      () => stream.end(),
    );
  });
  const link = await webSite(scope, [port], { link: true, timeouts });
  return [
    ...targets.map(
      (target): SeedTrial => [`requests, ${target.name}`, (seed) => requestsThrough(seed, target)],
    ),
    ["answers, plain HTTP", (seed) => answersThrough(seed, "plain HTTP", plain.port, serve)],
    ["answers, link", (seed) => answersThrough(seed, "link", link.port, serve)],
  ];
}
