// A cart in plain node:http, without a framework.
import { serve } from "flotilla/app";
import { withSession } from "flotilla/session/http";

const products = new Set(["anchor", "bell", "buoy", "compass", "lantern", "mug", "oilskin", "rope"]);

/** What each request is answered with, as JSON. */
const routes = {
  "GET /"({ session }) {
    session.visits = (session.visits ?? 0) + 1;
    return { visits: session.visits, ...shown(session) };
  },

  "GET /cart": ({ session }) => shown(session),

  // Two tabs may add something at the same time: update() loses neither.
  async "POST /cart"(req) {
    const { product, quantity = 1 } = await json(req);
    if (!products.has(product) || !Number.isInteger(quantity) || quantity < 1) {
      throw refusal(400, "a product of the shop and a whole quantity, please");
    }
    await req.session.update("cart", (cart = {}) => ({
      ...cart,
      [product]: (cart[product] ?? 0) + quantity,
    }));
    return shown(req.session);
  },

  "POST /order"({ session }) {
    const { cart = {} } = session;
    session.cart = {};
    return { ordered: cart };
  },

  // A new id at sign-in: one that was known before it is worth nothing. The cart comes along.
  async "POST /sign-in"(req) {
    const { name } = await json(req);
    const { cart } = req.session;
    await req.session.regenerate();
    Object.assign(req.session, { user: String(name), cart });
    return shown(req.session);
  },

  async "POST /sign-out"({ session }) {
    await session.destroy();
    return shown();
  },
};

function shown({ user = null, cart = {} } = {}) {
  return { user, cart, servedBy: `${process.env.FLOTILLA_SERVER ?? "alone"}/${process.pid}` };
}

async function json(req) {
  let text = "";
  for await (const chunk of req.setEncoding("utf8")) {
    text += chunk;
    if (text.length > 10_000) throw refusal(413, "too long");
  }
  try {
    return JSON.parse(text) ?? {};
  } catch {
    throw refusal(400, "JSON, please");
  }
}

function refusal(status, message) {
  return Object.assign(new Error(message), { status });
}

async function answer(req, res) {
  const route = routes[`${req.method} ${req.url}`];
  if (route === undefined) throw refusal(404, "there is nothing here");
  res.setHeader("Content-Type", "application/json");
  res.end(JSON.stringify(await route(req)));
}

await serve(
  withSession((req, res) => {
    answer(req, res).catch((error) => {
      const { status = 500, message } = error;
      if (status === 500) console.error(error);
      res.writeHead(status, { "Content-Type": "application/json" });
      res.end(JSON.stringify({ error: status === 500 ? "something went wrong" : message }));
    });
  }),
);
