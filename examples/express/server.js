// A cart in Express.
import express from "express";
import { serve } from "flotilla/app";
import { session } from "flotilla/session";

const products = new Set(["anchor", "bell", "buoy", "compass", "lantern", "mug", "oilskin", "rope"]);

const app = express();
app.use(express.json(), session());

app.get("/", (req, res) => {
  req.session.visits = (req.session.visits ?? 0) + 1;
  res.json({ visits: req.session.visits, ...shown(req.session) });
});

app.get("/cart", (req, res) => {
  res.json(shown(req.session));
});

// Two tabs may add something at the same time: update() loses neither.
app.post("/cart", async (req, res) => {
  const { product, quantity = 1 } = req.body ?? {};
  if (!products.has(product) || !Number.isInteger(quantity) || quantity < 1) {
    return res.status(400).json({ error: "a product of the shop and a whole quantity, please" });
  }
  await req.session.update("cart", (cart = {}) => ({ ...cart, [product]: (cart[product] ?? 0) + quantity }));
  res.json(shown(req.session));
});

app.post("/order", (req, res) => {
  const { cart = {} } = req.session;
  req.session.cart = {};
  res.json({ ordered: cart });
});

// A new id at sign-in: one that was known before it is worth nothing. The cart comes along.
app.post("/sign-in", async (req, res) => {
  const { cart } = req.session;
  await req.session.regenerate();
  Object.assign(req.session, { user: String(req.body?.name), cart });
  res.json(shown(req.session));
});

app.post("/sign-out", async (req, res) => {
  await req.session.destroy();
  res.json(shown());
});

function shown({ user = null, cart = {} } = {}) {
  return { user, cart, servedBy: `${process.env.FLOTILLA_SERVER ?? "alone"}/${process.pid}` };
}

await serve(app);
