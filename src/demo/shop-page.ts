/** The demo shop, whose pages and forms a person sees in a browser (demo/shop/pages.js). */
import { type Cart, type Form, piecesOf, type Shown, type Storefront } from "./storefront.ts";

export const shopPages: Storefront = {
  arrival: ["/", "/shop.css"],
  home: "/",
  doneStatus: 303,

  page(chance, product) {
    if (chance < 0.375) return `/products/${product}`;
    // The page that takes its time: somebody is waiting for it whenever a server dies.
    if (chance < 0.5625) return `/products/${product}/stock`;
    return chance < 0.8125 ? "/" : "/cart";
  },

  isPage: (path) => !path.endsWith(".css"),

  form(change, name) {
    switch (change.kind) {
      case "add":
        return form("/cart/add", { product: change.product, quantity: String(change.quantity) });
      case "order":
        return form("/checkout", { name, address: "Pier 7" });
      case "sign-in":
        return form("/login", { name });
      case "sign-out":
        return form("/logout", {});
    }
  },

  shownBy,
  foundEmptyCart: (answer) => answer.headers.location === "/cart",
  servedBy: (answer) => String(answer.headers["x-served-by"] ?? ""),
};

export function shownBy(page: string): Shown | null {
  const count = /data-count="([0-9]+)"/.exec(page)?.[1];
  if (count === undefined || !page.trimEnd().endsWith("</html>")) return null;
  const name = /data-name="([^"]*)"/.exec(page)?.[1] ?? null;
  const cart = page.includes("data-cart") ? cartOf(page) : null;
  if (cart !== null && piecesOf(cart) !== Number(count)) return null;
  return { name, count: Number(count), cart };
}

function cartOf(page: string): Cart {
  const lines = page.matchAll(/data-product="([^"]*)" data-quantity="([0-9]+)"/g);
  return new Map([...lines].map(([, product, quantity]) => [product!, Number(quantity)]));
}

function form(path: string, fields: Readonly<Record<string, string>>): Form {
  return { path, type: "application/x-www-form-urlencoded", body: new URLSearchParams(fields).toString() };
}
