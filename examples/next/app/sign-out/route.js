import { getSession } from "flotilla/session/next";
import { json, shown } from "../../shop.js";

export const POST = json(async () => {
  await getSession().destroy();
  return shown();
});
