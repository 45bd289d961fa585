/** A site as it was before it moves in: express-session itself, over a store of another library, and visitors of it. */

import expressSession from "express-session";
import { keyOfSid } from "../../src/session/foreign/key-of-sid.ts";
import { type AnyMiddleware, type Browser, type Handler, SessionSite } from "./session-site.ts";

export const oldSecret = "the word of the old site";

export interface OldVisitor {
  readonly browser: Browser;
  readonly key: string;
}

export const oldRoutes: Record<string, Handler> = {
  "/look": (req, res) => res.end(JSON.stringify({ ...req.session, cookie: undefined })),
  "/count": (req, res) => {
    req.session.count = (req.session.count ?? 0) + 1;
    res.end(String(req.session.count));
  },
  "/remember": (req, res) => {
    req.session.cookie.maxAge = 3_600_000;
    req.session.user = { name: "Zoë \u2028 \u{1f600}" };
    res.end();
  },
  "/logout": (req, res) => req.session.destroy(() => res.end()),
  "/login": (req, res) =>
    req.session.regenerate(() => {
      req.session.user = 1;
      res.end();
    }),
};

/** @param store of express-session. */
export async function oldSite(store: unknown, cookie: object = {}): Promise<SessionSite> {
  const options = { store, secret: oldSecret, resave: false, saveUninitialized: false, cookie };
  return await SessionSite.start(expressSession(options as never) as AnyMiddleware, oldRoutes);
}

/** Each with a count of its own, from 1 to 3. */
export async function oldVisitors(site: SessionSite, count: number): Promise<OldVisitor[]> {
  return await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const browser = site.browser();
      for (let times = 0; times <= index % 3; times++) await browser.read("/count");
      const sid = /^s:([^.]+)\./.exec(decodeURIComponent(browser.jar.get("connect.sid")!))![1]!;
      return { browser, key: keyOfSid(sid) };
    }),
  );
}
