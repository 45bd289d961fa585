import { getSession } from "flotilla/session/next";
import { json } from "../../shop.js";

export const POST = json(() => {
  const session = getSession();
  const { cart = {} } = session;
  session.cart = {};
  return { ordered: cart };
});
