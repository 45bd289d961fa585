import { getSession } from "flotilla/session/next";
import { added, json, shown } from "../../shop.js";

export const GET = json(() => shown(getSession()));

export const POST = json(async (request) => {
  const { product, quantity = 1 } = await request.json();
  await added(getSession(), product, quantity);
  return shown(getSession());
});
