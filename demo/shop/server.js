// The demo shop. Run by Flotilla it is one app server of the cluster; `node server.js` alone listens on HTTP.
import { fileURLToPath } from "node:url";
import express from "express";
import { serve } from "flotilla/app";
import { session } from "flotilla/session";
import { shop } from "./shop.js";

const app = express();
app.disable("x-powered-by");
app.use(express.static(fileURLToPath(new URL("./public", import.meta.url)), { maxAge: "1h" }));
app.use(session());
app.use(shop());

await serve(app);
