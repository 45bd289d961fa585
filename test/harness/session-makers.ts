/**
 * express-session itself and `flotilla/session`, made in the same way: their documented habits are checked against both. Where
 * the two differ on purpose is tested in test/session/differences.test.ts and told in docs/sessions.md.
 */
import expressSession from "express-session";
import { session } from "../../src/session/index.ts";
import type { AnyMiddleware, Handler } from "./session-site.ts";

export interface Options {
  name?: string;
  cookie?: Record<string, unknown>;
  rolling?: boolean;
  saveUninitialized?: boolean;
  unset?: "keep" | "destroy";
  proxy?: boolean;
}

export const makers: Record<string, (options: Options) => AnyMiddleware> = {
  "express-session": (options) =>
    expressSession({
      secret: "a word",
      resave: false,
      saveUninitialized: false,
      ...options,
    } as never) as AnyMiddleware,
  flotilla: (options) => session({ secret: "a word", resave: false, ...options } as never),
};

const count: Handler = (req, res) => {
  req.session.count = (req.session.count ?? 0) + 1;
  res.end(String(req.session.count));
};
const look: Handler = (req, res) => res.end(JSON.stringify({ ...req.session, cookie: undefined }));
export const habitRoutes: Record<string, Handler> = { "/count": count, "/look": look };
