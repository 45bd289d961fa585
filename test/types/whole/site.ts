import express from "express";
import { serve } from "flotilla/app";
import { type SessionEngine, session } from "flotilla/session";
import { type EngineSuite, engineConformance } from "flotilla/session/conformance";
import { fileStore } from "flotilla/session/file";
import { mysqlStore } from "flotilla/session/mysql";
import { postgresStore } from "flotilla/session/postgres";
import { redisStore } from "flotilla/session/redis";
import { FlotillaStore } from "flotilla/store/express-session";

declare module "flotilla/session" {
  interface SessionData {
    visits: number;
    user?: { id: number };
  }
}

export const stores: readonly SessionEngine[] = [
  fileStore({ folder: "sessions" }),
  mysqlStore({ url: "mysql://shop@db/shop" }),
  postgresStore({ url: "postgres://shop@db/shop", table: "shop_sessions" }),
  redisStore({ url: "redis://db" }),
];
export const suite: EngineSuite = {
  name: "ours",
  open: async () => ({ connect: () => stores[0]!, end: async () => {} }),
};
engineConformance(suite);
export const old = new FlotillaStore();

const app = express();
app.use(
  session({
    onConflict: (key, conflict) => {
      if (key === "visits") return (conflict.mine ?? 0) + (conflict.theirs ?? 0) - (conflict.base ?? 0);
      const id: number | undefined = conflict.theirs?.id;
      return id === undefined ? conflict.mine : conflict.theirs;
    },
  }),
);
app.get("/", (req, res) => {
  req.session.visits = (req.session.visits ?? 0) + 1;
  const user: { id: number } | undefined = req.session.user;
  res.send(`${user?.id}: ${req.session.visits}, ${req.sessionID}`);
});
await serve(app);
