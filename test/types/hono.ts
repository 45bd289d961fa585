import { session } from "flotilla/session/hono";
import { Hono } from "hono";

const app = new Hono();
app.use(session({ idleTimeout: "1h" }));
app.get("/", async (c) => {
  const user: string | undefined = c.var.session.user;
  // @ts-expect-error: it is a string.
  c.get("session").user = 1;
  await c.var.session.regenerate();
  return c.text(user ?? "nobody");
});
