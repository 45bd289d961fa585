import express from "express";
import { session } from "flotilla/session";

const app = express();
app.use(session({ idleTimeout: "1h" }));
app.get("/", async (req, res) => {
  const user: string | undefined = req.session.user;
  // @ts-expect-error: it is a string.
  req.session.user = 1;
  await req.session.update("cart", (cart = {}) => ({ ...cart, bell: 1 }));
  res.send(user);
});
