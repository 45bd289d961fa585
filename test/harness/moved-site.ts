/** A site that visitors move to: an application that knows their cookies, and the commands that bring their sessions. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type CartShape, CartSite } from "./cart-site.ts";
import { runFlotilla } from "./process.ts";

const movedApp = join(import.meta.dirname, "..", "integration", "fixtures", "moved.ts");

/** `flotilla sessions ...`, for the site in this folder. */
export type Sessions = (...words: string[]) => ReturnType<typeof runFlotilla>;

export function sessionsOf(t: TestContext, { folder: cwd }: { readonly folder: string }): Sessions {
  return (...words) => runFlotilla(t, ["sessions", ...words], { cwd });
}

/** Two app servers. @param by how the application keeps sessions: express-session with FlotillaStore, or session({ movingFrom }). */
export async function movedSite(
  t: TestContext,
  by: "store" | "session",
  more: Partial<CartShape> = {},
): Promise<CartSite> {
  const site = await CartSite.make(t, { apps: 2, run: `MOVED=${by} exec node ${movedApp}`, ...more });
  await site.start();
  return site;
}

export interface Exported {
  readonly key: string;
  readonly idleTimeoutMs: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** All that the site has, by key. */
export async function exported(sessions: Sessions): Promise<Map<string, Exported>> {
  const { stdout } = await sessions("export", "-");
  const records = stdout
    .split("\n")
    .slice(1, -2)
    .map((line) => JSON.parse(line) as Exported);
  return new Map(records.map((record) => [record.key, record]));
}
