// The application of the session benchmark: `node app.js none|flotilla|redis`, on HTTP at PORT. Its pages are the
// same for all; what differs is who keeps req.session. "none" keeps nothing: what a request costs without sessions.
import { createServer } from "node:http";
import express from "express";

const kind = process.argv[2];

/** What a shop knows of a visitor: about 400 bytes as JSON. */
function signedIn() {
  return {
    user: { id: 4711, name: "Anna Berg", roles: ["customer"] },
    cart: Array.from({ length: 4 }, (_, n) => ({
      sku: `boat-${n}`,
      name: "A boat",
      count: n + 1,
      price: 19.5,
    })),
    csrf: "kYw3xkq0a8TzKcB1",
    visits: 0,
  };
}

async function keeperOf() {
  if (kind === "flotilla") {
    const { session } = await import("flotilla/session");
    return session();
  }
  if (kind === "redis") {
    const [{ default: session }, { RedisStore }, { createClient }] = await Promise.all([
      import("express-session"),
      import("connect-redis"),
      import("redis"),
    ]);
    const client = createClient({ url: process.env.REDIS_URL });
    await client.connect();
    // As its documentation advises; the secret must be the same for all processes.
    const options = { secret: process.env.SECRET, resave: false, saveUninitialized: false };
    return session({ ...options, store: new RedisStore({ client }) });
  }
  const everybody = signedIn();
  return (req, _res, next) => {
    req.session = everybody;
    next();
  };
}

function answer(req, res) {
  const { user, cart, visits } = req.session;
  res.json({ user: user.name, items: cart.length, visits });
}

const app = express();
app.disable("etag");
app.disable("x-powered-by");
app.use(await keeperOf());
app.get("/sign-in", (req, res) => {
  Object.assign(req.session, signedIn());
  answer(req, res);
});
app.use((req, res, next) => {
  if (req.session.user) next();
  else res.status(401).end("sign in first\n");
});
app.get("/read", answer);
app.get("/write", (req, res) => {
  req.session.visits++;
  answer(req, res);
});

if (kind === "flotilla") {
  const { serve } = await import("flotilla/app");
  await serve(app);
}
// For all of them by HTTP and without a proxy, so that nothing but the session differs.
const server = createServer(app);
server.keepAliveTimeout = 75_000;
server.listen(Number(process.env.PORT), "127.0.0.1");
