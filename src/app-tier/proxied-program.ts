/**
 * `attach: false`: requests of the cluster port go on to a program that listens on a port of its own. Each is one
 * connection on the loopback, written as HTTP/1.1 with `Connection: close` (compat-connection.ts); the answer's bytes go
 * back as they come, for the web server parses them as strictly as any. So upgrades, trailers and interim answers need nothing
 * here, and no kept connection can be closed under a request.
 */
import type http from "node:http";
import { connect } from "node:net";
import { LinkDuplex } from "./link-duplex.ts";

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** @param server attached with `compat`; its connections are not given to Node's parser. */
export function proxyConnections(server: http.Server, target: Target): void {
  server.removeAllListeners("connection");
  server.on("connection", (connection: unknown) => {
    if (connection instanceof LinkDuplex) carry(connection, target);
  });
}

function carry(connection: LinkDuplex, target: Target): void {
  let isConnected = false;
  const socket = connect({ ...target, allowHalfOpen: true, noDelay: true });
  socket.once("connect", () => {
    isConnected = true;
  });
  socket.once("end", () => connection.destroySoon());
  socket.on("error", () => {
    if (isConnected) connection.resetAndDestroy();
    else connection.refuse();
  });
  connection.on("error", () => {}); // `close` follows.
  connection.once("close", () => socket.destroy());
  connection.pipe(socket);
  socket.pipe(connection, { end: false });
}
