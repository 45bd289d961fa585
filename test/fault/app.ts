/** The application of the fault runs: counters in a session that knows whose it is. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { serve } from "../../src/app-tier/index.ts";
import { type Session, session } from "../../src/session/index.ts";
import type { Shown } from "./ledger.ts";

interface Visit extends Session {
  token?: string;
  [counter: string]: unknown;
}

const withSession = session();
const counterNames = /^(n\d+|shared)$/;

async function act(visit: Visit, path: string, query: URLSearchParams): Promise<void> {
  const key = query.get("key") ?? "";
  const waitMs = Number(query.get("waitMs") ?? 0);
  if (path === "/begin") visit.token = query.get("token")!;
  else if (path === "/add") {
    if (waitMs > 0) await sleep(waitMs);
    visit[key] = Number(visit[key] ?? 0) + 1;
  } else if (path === "/update") await visit.update(key, (count) => Number(count ?? 0) + 1);
  else if (path === "/logout") await visit.destroy();
}

function shown(visit: Visit | undefined): Shown {
  const counters = Object.entries(visit ?? {}).filter(([key]) => counterNames.test(key));
  return { token: visit?.token ?? null, counts: Object.fromEntries(counters) as Shown["counts"] };
}

async function answer(req: IncomingMessage & { session?: Visit }, res: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(req.url!, "http://site");
  res.setHeader("X-Served-By", process.env.FLOTILLA_SERVER!);
  // Nothing is done in a session that is not there: no answer makes a new one in its place.
  if (req.session?.token === undefined && req.method === "POST" && pathname !== "/begin") {
    res.writeHead(410).end(JSON.stringify(shown(undefined)));
    return;
  }
  try {
    await act(req.session!, pathname, searchParams);
    res.end(JSON.stringify(shown(req.session)));
  } catch (error) {
    res.writeHead(503).end(String(error));
  }
}

await serve((req: IncomingMessage, res: ServerResponse) => {
  withSession(req, res, (error) => {
    if (error === undefined) void answer(req, res);
    else res.writeHead(503).end(String(error));
  });
});
