// A cart in Koa.
import { serve } from "flotilla/app";
import { session } from "flotilla/session/koa";
import Koa from "koa";

const products = new Set(["anchor", "bell", "buoy", "compass", "lantern", "mug", "oilskin", "rope"]);

const routes = {
  "GET /"(ctx) {
    ctx.session.visits = (ctx.session.visits ?? 0) + 1;
    ctx.body = { visits: ctx.session.visits, ...shown(ctx.session) };
  },

  "GET /cart"(ctx) {
    ctx.body = shown(ctx.session);
  },

  // Two tabs may add something at the same time: update() loses neither.
  async "POST /cart"(ctx) {
    const { product, quantity = 1 } = await json(ctx);
    if (!products.has(product) || !Number.isInteger(quantity) || quantity < 1) {
      ctx.throw(400, "a product of the shop and a whole quantity, please");
    }
    await ctx.session.update("cart", (cart = {}) => ({
      ...cart,
      [product]: (cart[product] ?? 0) + quantity,
    }));
    ctx.body = shown(ctx.session);
  },

  "POST /order"(ctx) {
    ctx.body = { ordered: ctx.session.cart ?? {} };
    ctx.session.cart = {};
  },

  // A new id at sign-in: one that was known before it is worth nothing. The cart comes along.
  async "POST /sign-in"(ctx) {
    const { name } = await json(ctx);
    const { cart } = ctx.session;
    await ctx.session.regenerate();
    Object.assign(ctx.session, { user: String(name), cart });
    ctx.body = shown(ctx.session);
  },

  async "POST /sign-out"(ctx) {
    await ctx.session.destroy();
    ctx.body = shown();
  },
};

function shown({ user = null, cart = {} } = {}) {
  return { user, cart, servedBy: `${process.env.FLOTILLA_SERVER ?? "alone"}/${process.pid}` };
}

async function json(ctx) {
  let text = "";
  for await (const chunk of ctx.req.setEncoding("utf8")) {
    text += chunk;
    if (text.length > 10_000) ctx.throw(413);
  }
  try {
    return JSON.parse(text) ?? {};
  } catch {
    ctx.throw(400, "JSON, please");
  }
}

const app = new Koa();
app.use(session());
app.use((ctx) => routes[`${ctx.method} ${ctx.path}`]?.(ctx));

await serve(app.callback());
