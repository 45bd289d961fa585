// A cart in Fastify.
import fastify from "fastify";
import { serve } from "flotilla/app";
import { fastifySession } from "flotilla/session/fastify";

const products = ["anchor", "bell", "buoy", "compass", "lantern", "mug", "oilskin", "rope"];

const app = fastify();
await app.register(fastifySession);

app.get("/", async ({ session }) => {
  session.visits = (session.visits ?? 0) + 1;
  return { visits: session.visits, ...shown(session) };
});

app.get("/cart", async ({ session }) => shown(session));

const item = {
  type: "object",
  required: ["product"],
  properties: {
    product: { enum: products },
    quantity: { type: "integer", minimum: 1, default: 1 },
  },
};

// Two tabs may add something at the same time: update() loses neither.
app.post("/cart", { schema: { body: item } }, async ({ session, body: { product, quantity } }) => {
  await session.update("cart", (cart = {}) => ({ ...cart, [product]: (cart[product] ?? 0) + quantity }));
  return shown(session);
});

app.post("/order", async ({ session }) => {
  const { cart = {} } = session;
  session.cart = {};
  return { ordered: cart };
});

// A new id at sign-in: one that was known before it is worth nothing. The cart comes along.
app.post("/sign-in", async (request) => {
  const { cart } = request.session;
  await request.session.regenerate();
  Object.assign(request.session, { user: String(request.body?.name), cart });
  return shown(request.session);
});

app.post("/sign-out", async ({ session }) => {
  await session.destroy();
  return shown();
});

function shown({ user = null, cart = {} } = {}) {
  return { user, cart, servedBy: `${process.env.FLOTILLA_SERVER ?? "alone"}/${process.pid}` };
}

await app.ready();
await serve(app.server);
