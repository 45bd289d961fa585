// The application of the session benchmarks: `node app.js none|flotilla|connect-redis|connect-pg-simple`, on HTTP at PORT.
// Its pages are the same for all; what differs is who keeps req.session. "none" keeps nothing: what a request costs without
// sessions. Where Flotilla keeps them says the file.
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
  if (kind === "connect-redis" || kind === "connect-pg-simple") {
    const { default: session } = await import("express-session");
    // As their documentation advises; the secret must be the same for all processes.
    const options = { secret: "of the benchmark", resave: false, saveUninitialized: false };
    return session({ ...options, store: await storeOf(session) });
  }
  const everybody = signedIn();
  return (req, _res, next) => {
    req.session = everybody;
    next();
  };
}

async function storeOf(session) {
  if (kind === "connect-redis") {
    const [{ RedisStore }, { createClient }] = await Promise.all([import("connect-redis"), import("redis")]);
    const client = createClient({ url: process.env.REDIS_URL });
    await client.connect();
    return new RedisStore({ client });
  }
  const [{ default: pgStore }, { default: pg }] = await Promise.all([
    import("connect-pg-simple"),
    import("pg"),
  ]);
  const pool = new pg.Pool({ connectionString: process.env.POSTGRES_URL });
  return new (pgStore(session))({ pool });
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
