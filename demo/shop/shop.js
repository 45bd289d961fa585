// What the shop does: its addresses, one handler each. Every change is a POST answered by a redirect, so that
// reloading a page never repeats it, and nothing needs JavaScript in the browser.
import express from "express";
import { added, linesOf, quantityFrom, withQuantity } from "./cart.js";
import * as pages from "./pages.js";
import { products } from "./products.js";
import { pay, stockOf } from "./services.js";

const servedBy = `${process.env.FLOTILLA_SERVER ?? "this process"}/${process.pid}`;

export function shop() {
  const router = express.Router();
  router.use(headers, refuseOtherSites, express.urlencoded({ extended: false, limit: "10kb" }));

  router.get("/", (req, res) => show(req, res, pages.home()));
  router.get("/products/:id", (req, res) => {
    const product = products.get(req.params.id);
    if (product === undefined) return notFound(req, res);
    show(req, res, pages.product(product));
  });
  router.get("/products/:id/stock", async (req, res) => {
    const product = products.get(req.params.id);
    if (product === undefined) return notFound(req, res);
    show(req, res, pages.stock(product, await stockOf(product)));
  });

  router.get("/cart", (req, res) => show(req, res, pages.cart(req.session.cart)));
  router.post("/cart/add", change(1, added));
  router.post("/cart/update", change(0, withQuantity));
  router.post("/cart/remove", (req, res) => {
    req.session.cart = withQuantity(req.session.cart, String(req.body?.product), 0);
    res.redirect(303, "/cart");
  });

  router.get("/checkout", (req, res) => {
    if (linesOf(req.session.cart).length === 0) return res.redirect(303, "/cart");
    show(req, res, pages.checkout(req.session.cart, req.session.name));
  });
  router.post("/checkout", order);
  router.get("/thanks", (req, res) => {
    if (req.session.order === undefined) return res.redirect(303, "/");
    show(req, res, pages.thanks(req.session.order));
  });

  router.get("/login", (req, res) => show(req, res, pages.login()));
  router.post("/login", login);
  router.post("/logout", (req, res, next) => {
    req.session.destroy((error) => (error ? next(error) : res.redirect(303, "/")));
  });

  router.use(notFound);
  router.use(failed);
  return router;
}

function headers(_req, res, next) {
  res.set({
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy":
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Served-By": servedBy,
  });
  next();
}

/** Another site's page may not fill a visitor's cart: every current browser says where a form came from. */
function refuseOtherSites(req, res, next) {
  const site = req.get("Sec-Fetch-Site");
  if (req.method !== "POST" || site === undefined || site === "same-origin" || site === "none") return next();
  res.status(403);
  show(
    req,
    res,
    pages.problem("That came from another site", "For safety, please use the shop's own buttons."),
  );
}

/** A handler that changes the quantity of one product in the cart. */
function change(quantityMin, changed) {
  return (req, res) => {
    const quantity = quantityFrom(req.body?.quantity ?? "1");
    const product = products.get(req.body?.product);
    if (product === undefined || quantity === null || quantity < quantityMin) {
      res.status(400);
      return show(
        req,
        res,
        pages.problem("That did not work", "Please choose a product and a quantity up to 99."),
      );
    }
    req.session.cart = changed(req.session.cart, product.id, quantity);
    res.redirect(303, "/cart");
  };
}

async function order(req, res) {
  const lines = linesOf(req.session.cart);
  if (lines.length === 0) return res.redirect(303, "/cart");
  const name = textFrom(req.body?.name);
  const address = textFrom(req.body?.address);
  if (name === "" || address === "") {
    res.status(400);
    return show(
      req,
      res,
      pages.checkout(req.session.cart, name, address, "Please fill in your name and address."),
    );
  }
  const cents = lines.reduce((sum, line) => sum + line.cents, 0);
  await pay(cents);
  req.session.order = { name, address, cents, count: lines.reduce((sum, line) => sum + line.quantity, 0) };
  req.session.cart = {};
  res.redirect(303, "/thanks");
}

/** A new id at login, so that an id known before it is worth nothing; the cart comes along. */
function login(req, res, next) {
  const name = textFrom(req.body?.name);
  if (name === "") {
    res.status(400);
    return show(req, res, pages.login("Please tell us your name."));
  }
  const { cart } = req.session;
  req.session.regenerate((error) => {
    if (error) return next(error);
    req.session.name = name;
    if (cart !== undefined) req.session.cart = cart;
    res.redirect(303, "/");
  });
}

function textFrom(value) {
  return typeof value === "string" ? value.trim().slice(0, 200) : "";
}

function notFound(req, res) {
  res.status(404);
  show(
    req,
    res,
    pages.problem("There is nothing here", "The page may have moved, or the address has a typing error."),
  );
}

function failed(error, req, res, next) {
  if (res.headersSent) return next(error);
  // 503 is the session's, when its servers can't be reached for a moment.
  const status = error.status >= 400 && error.status < 600 ? error.status : 500;
  if (status === 500) console.error(error);
  res.status(status);
  show(req, res, pages.problem("Something went wrong", "Please go back and try once more."));
}

function show(req, res, page) {
  const visit = {
    cart: req.session?.cart,
    name: req.session?.name,
    servedBy,
    requestId: req.get("X-Request-Id") ?? "none",
    letters: req.session?.cart || req.session?.name ? (req.sessionID?.slice(0, 2) ?? "") : "",
  };
  res.type("html").send(pages.document(page, visit));
}
