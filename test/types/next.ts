import { serve } from "flotilla/app";
import { getSession } from "flotilla/session/next";
import { withSession } from "flotilla/session/next/server";
import type { RequestHandler } from "next/dist/server/next.js";

declare const handler: RequestHandler;
await serve(withSession(handler, { idleTimeout: "1h" }));

export function GET(): Response {
  const user: string | undefined = getSession().user;
  // @ts-expect-error: it is a string.
  getSession().user = 1;
  return new Response(user);
}
