import fastify from "fastify";
import { session } from "flotilla/session";
import byDefault, { fastifySession } from "flotilla/session/fastify";

const app = fastify();
await app.register(fastifySession, { idleTimeout: "1h" });
await app.register(byDefault);
await app.register(fastifySession, { sessions: session() });
// @ts-expect-error: there is no such option.
await app.register(fastifySession, { idleTime: "1h" });
app.get("/", async (request) => {
  const user: string | undefined = request.session.user;
  // @ts-expect-error: it is a string.
  request.session.user = 1;
  await request.session.regenerate();
  return user;
});
