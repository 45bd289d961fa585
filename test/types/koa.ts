import { session } from "flotilla/session/koa";
import Koa from "koa";

const app = new Koa();
app.use(session({ idleTimeout: "1h" }));
app.use(async (ctx) => {
  const user: string | undefined = ctx.session.user;
  // @ts-expect-error: it is a string.
  ctx.session.user = 1;
  await ctx.session.regenerate();
  ctx.body = user;
});
