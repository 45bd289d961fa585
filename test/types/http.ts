import { createServer } from "node:http";
import { session } from "flotilla/session";
import { sessionOf, withSession } from "flotilla/session/http";

const sessions = session({ idleTimeout: "1h" });
const server = createServer(
  withSession((req, res) => {
    const user: string | undefined = req.session.user;
    // @ts-expect-error: it is a string.
    req.session.user = 1;
    res.end(user);
  }, sessions),
);
server.on("upgrade", async (req, socket) => {
  const { user } = await sessionOf(req, sessions);
  const name: string | undefined = user;
  socket.end(name);
});
