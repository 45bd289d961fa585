// A cart in Hono. Under @hono/node-server, Deno or Bun the session is the same; serve() is what joins the cluster.
import { serve } from "flotilla/app";
import { session } from "flotilla/session/hono";
import { Hono } from "hono";

const products = new Set(["anchor", "bell", "buoy", "compass", "lantern", "mug", "oilskin", "rope"]);

const app = new Hono();
app.use(session());

app.get("/", (c) => {
  const { session } = c.var;
  session.visits = (session.visits ?? 0) + 1;
  return c.json({ visits: session.visits, ...shown(session) });
});

app.get("/cart", (c) => c.json(shown(c.var.session)));

// Two tabs may add something at the same time: update() loses neither.
app.post("/cart", async (c) => {
  const { product, quantity = 1 } = await c.req.json().catch(() => ({}));
  if (!products.has(product) || !Number.isInteger(quantity) || quantity < 1) {
    return c.json({ error: "a product of the shop and a whole quantity, please" }, 400);
  }
  await c.var.session.update("cart", (cart = {}) => ({
    ...cart,
    [product]: (cart[product] ?? 0) + quantity,
  }));
  return c.json(shown(c.var.session));
});

app.post("/order", (c) => {
  const { cart = {} } = c.var.session;
  c.var.session.cart = {};
  return c.json({ ordered: cart });
});

// A new id at sign-in: one that was known before it is worth nothing. The cart comes along.
app.post("/sign-in", async (c) => {
  const { name } = await c.req.json().catch(() => ({}));
  const { cart } = c.var.session;
  await c.var.session.regenerate();
  Object.assign(c.var.session, { user: String(name), cart });
  return c.json(shown(c.var.session));
});

app.post("/sign-out", async (c) => {
  await c.var.session.destroy();
  return c.json(shown());
});

// What update() and the like throw has a status where it is not the application's fault, and Hono does not look for it.
app.onError((error, c) => {
  if (error.status !== undefined) return c.json({ error: error.message }, error.status);
  console.error(error);
  return c.json({ error: "Internal Server Error" }, 500);
});

function shown({ user = null, cart = {} } = {}) {
  return { user, cart, servedBy: `${process.env.FLOTILLA_SERVER ?? "alone"}/${process.pid}` };
}

await serve(app);
