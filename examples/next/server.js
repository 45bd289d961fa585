// A cart in Next.js, behind a custom server.
import { serve } from "flotilla/app";
import { withSession } from "flotilla/session/next/server";
import next from "next";

const app = next({ dev: process.env.NODE_ENV !== "production" });
await app.prepare();
await serve(withSession(app.getRequestHandler()));
