/** The shops of examples/, one for each framework, which answer with JSON. */
import { type Form, piecesOf, type Shown, type Storefront } from "./storefront.ts";

export const shopApi: Storefront = {
  // It counts visits: a GET that changes something is for the arrival, not for when servers are killed.
  arrival: ["/"],
  home: "/cart",
  doneStatus: 200,
  page: () => "/cart",
  isPage: (path) => path === "/cart",

  form(change, name) {
    switch (change.kind) {
      case "add":
        return form("/cart", { product: change.product, quantity: change.quantity });
      case "order":
        return form("/order", {});
      case "sign-in":
        return form("/sign-in", { name });
      case "sign-out":
        return form("/sign-out", {});
    }
  },

  shownBy(text) {
    const answer = parsed(text);
    if (!isObject(answer) || !isObject(answer.cart)) return null;
    const { user } = answer;
    if (user !== null && typeof user !== "string") return null;
    const quantities = Object.entries(answer.cart);
    if (!quantities.every((entry): entry is [string, number] => Number.isInteger(entry[1]))) return null;
    const cart = new Map(quantities);
    return { name: user, count: piecesOf(cart), cart } satisfies Shown;
  },

  foundEmptyCart({ text }) {
    const answer = parsed(text);
    return isObject(answer) && isObject(answer.ordered) && Object.keys(answer.ordered).length === 0;
  },

  servedBy({ text }) {
    const answer = parsed(text);
    return isObject(answer) && typeof answer.servedBy === "string" ? answer.servedBy : "";
  },
};

function form(path: string, body: object): Form {
  return { path, type: "application/json", body: JSON.stringify(body) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
