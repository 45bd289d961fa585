import { getSession } from "flotilla/session/next";
import { json, shown } from "../../shop.js";

// A new id at sign-in: one that was known before it is worth nothing. The cart comes along.
export const POST = json(async (request) => {
  const { name } = await request.json();
  const { cart } = getSession();
  await getSession().regenerate();
  Object.assign(getSession(), { user: String(name), cart });
  return shown(getSession());
});
