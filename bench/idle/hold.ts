/** Connections that have asked one request, as a browser asks it, and keep silent. */
import http2 from "node:http2";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { browserHeaders } from "../load.ts";

export type Protocol = "http" | "https" | "h2";

export interface HeldConnection {
  readonly closed: boolean;
  close(): void;
}

const host = "127.0.0.1";
const fields = browserHeaders.map(([name, value]) => `${name}: ${value}\r\n`).join("");
const http2Fields = Object.fromEntries(browserHeaders.map(([name, value]) => [name.toLowerCase(), value]));
const request = `GET / HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`;

export const holders: Readonly<Record<Protocol, (port: number) => Promise<HeldConnection>>> = {
  http: (port) => hold(connect({ host, port })),
  https: (port) => hold(connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })),
  h2: holdHttp2,
};

/** The answer is small: its first bytes are all of it. */
function hold(socket: Socket): Promise<HeldConnection> {
  socket.write(request);
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.once("data", () =>
      resolve({
        get closed() {
          return socket.destroyed || socket.readableEnded;
        },
        close: () => socket.destroy(),
      }),
    );
  });
}

function holdHttp2(port: number): Promise<HeldConnection> {
  const session = http2.connect(`https://${host}:${port}`, { rejectUnauthorized: false });
  return new Promise((resolve, reject) => {
    session.on("error", reject);
    const stream = session.request({ ":path": "/", ...http2Fields });
    stream.on("error", reject);
    stream.resume().on("end", () =>
      resolve({
        get closed() {
          return session.destroyed || session.closed;
        },
        close: () => session.destroy(),
      }),
    );
  });
}
