/** Upgrades: raw ones, WebSockets with ws, socket.io with its change from polling to a WebSocket. */
import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import { Duplex } from "node:stream";
import { Server as SocketIo } from "socket.io";
import { io } from "socket.io-client";
import { WebSocket, WebSocketServer } from "ws";
import { compare, type Trace } from "./compare.ts";

compare({
  name: "a raw upgrade: the socket is a Duplex, half-closed by each side in turn",
  server(trace) {
    const server = http.createServer();
    server.on("upgrade", (req, stream, head) => {
      const socket = stream as net.Socket;
      trace.note("req", req.complete, req.headers.upgrade, req.method, head.length, req.socket === socket);
      trace.note(
        "socket",
        socket instanceof Duplex,
        socket.readable,
        socket.writable,
        socket.allowHalfOpen,
        socket.readyState,
      );
      trace.note(
        "addresses",
        socket.remoteAddress,
        typeof socket.remotePort,
        socket.remoteFamily,
        socket.localAddress,
      );
      trace.note("written", socket.bytesWritten, socket.timeout ?? 0);
      trace.watch("socket", socket, "end", "finish", "close", "error");
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
      trace.note("written", socket.bytesWritten);
      socket.unshift(Buffer.from("unshifted "));
      socket.on("readable", () => {
        for (let bytes = socket.read(); bytes !== null; bytes = socket.read()) socket.write(bytes);
      });
      socket.on("end", () => socket.end("the end"));
    });
    return server;
  },
  async client(way, trace) {
    const client = way.request({ upgrade: "echo" });
    await client.until(() => client.headSeen);
    client.write("hello");
    let text = "";
    await client.until(() => {
      text += client.takeTunnel().toString();
      return text.includes("hello");
    });
    client.end();
    await client.until(() => client.ended);
    trace.note("came", text + client.takeTunnel().toString());
    return client.answer();
  },
});

compare({
  name: "an upgrade that nobody listens to is a request like any other",
  server(trace) {
    const server = http.createServer((req, res) => {
      trace.note("request", (req as { upgrade?: boolean }).upgrade, req.complete, req.headers.upgrade);
      trace.watch("req", req, "end", "close");
      res.end("not upgraded");
    });
    return server;
  },
  client: (way) => way.request({ upgrade: "nobody" }).answer(),
});

compare({
  name: "an upgrade that is refused with raw text",
  server(trace) {
    const server = http.createServer();
    server.on("upgrade", (_req, socket) => {
      trace.watch("socket", socket, "finish", "close");
      socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
      socket.once("finish", () => socket.destroy());
    });
    return server;
  },
  client: (way) => way.request({ upgrade: "websocket" }).answer(),
});

function webSocketServer(trace: Trace, perMessageDeflate: boolean): http.Server {
  const server = http.createServer((_req, res) => res.end("plain"));
  const sockets = new WebSocketServer({ server, perMessageDeflate });
  sockets.on("connection", (socket, req) => {
    trace.note("connection", req.url, socket.readyState, socket.protocol);
    socket.on("message", (data: Buffer, binary) => {
      trace.note("message", data.length, binary);
      if (data.toString("latin1", 0, 4) === "stop") socket.close(4001, "told to");
      else if (data.toString("latin1", 0, 4) === "kill") socket.terminate();
      else socket.send(data, { binary }, (error) => trace.note("sent", error));
    });
    socket.on("ping", (data) => trace.note("ping", data.toString()));
    socket.on("close", (code, reason) => trace.note("close", code, reason.toString()));
    socket.on("error", (error) => trace.note("error", error));
  });
  return server;
}

for (const perMessageDeflate of [false, true]) {
  compare({
    name: `ws${perMessageDeflate ? " with compression" : ""}: echo, large messages, ping, every kind of close`,
    server: (trace) => webSocketServer(trace, perMessageDeflate),
    async client(way, trace) {
      const open = async (): Promise<WebSocket> => {
        const socket = new WebSocket(`ws://127.0.0.1:${way.port}/path?q=1`, { perMessageDeflate });
        await once(socket, "open");
        return socket;
      };
      const echo = async (socket: WebSocket, data: string | Buffer): Promise<void> => {
        const answered = once(socket, "message");
        socket.send(data);
        const [back] = (await answered) as [Buffer];
        trace.note("echo", back.length, Buffer.compare(back, Buffer.from(data as string)) === 0);
      };
      const talking = await open();
      await echo(talking, "hello");
      await echo(talking, Buffer.alloc(1_000_000, "large"));
      await echo(talking, "");
      talking.ping("are you there");
      const [pong] = (await once(talking, "pong")) as [Buffer];
      trace.note("pong", pong.toString());
      talking.close(4000, "done");
      const [closed] = (await once(talking, "close")) as [number];
      await trace.until("close 4000");
      trace.note("closed", closed);
      for (const command of ["stop", "kill"]) {
        const told = await open();
        told.send(command);
        const [code] = (await once(told, "close")) as [number];
        await trace.until(command === "stop" ? "close 4001" : "close 1006");
        trace.note("closed", code);
      }
      const leaving = await open();
      leaving.terminate();
      await trace.until("close 1006", 2);
      return undefined;
    },
  });
}

compare({
  name: "ws without a server of its own: handleUpgrade after an authentication that takes a while",
  server(trace) {
    const server = http.createServer();
    const sockets = new WebSocketServer({ noServer: true });
    server.on("upgrade", (req, socket, head) => {
      setTimeout(() => {
        if (req.url === "/refused") {
          socket.write("HTTP/1.1 403 Forbidden\r\n\r\n");
          socket.destroy();
          return;
        }
        sockets.handleUpgrade(req, socket, head, (webSocket) => {
          trace.note("upgraded", req.url);
          webSocket.on("message", (data) => webSocket.send(data));
        });
      }, 10);
    });
    return server;
  },
  async client(way, trace) {
    const refused = new WebSocket(`ws://127.0.0.1:${way.port}/refused`);
    const [error] = (await once(refused, "error")) as [Error];
    trace.note("refused", error.message);
    const taken = new WebSocket(`ws://127.0.0.1:${way.port}/taken`);
    await once(taken, "open");
    taken.send("x");
    await once(taken, "message");
    taken.close();
    await once(taken, "close");
    return undefined;
  },
});

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]] as (
  | "polling"
  | "websocket"
)[][]) {
  compare({
    name: `socket.io over ${transports.join(", then ")}`,
    server(trace) {
      const server = http.createServer((_req, res) => res.end("plain"));
      const sockets = new SocketIo(server, { pingInterval: 10_000 });
      sockets.on("connection", (socket) => {
        trace.note("connection", socket.conn.transport.name, socket.handshake.address);
        socket.conn.on("upgrade", (transport: { name: string }) => trace.note("upgrade", transport.name));
        socket.on("echo", (value, done) => done(value));
        socket.on("disconnect", (reason) => trace.note("disconnect", reason));
      });
      return server;
    },
    async client(way, trace) {
      const socket = io(`http://127.0.0.1:${way.port}`, { transports, reconnection: false });
      await new Promise<void>((resolve) => socket.on("connect", resolve));
      if (transports.length > 1) await trace.until("upgrade");
      trace.note("echo", await socket.emitWithAck("echo", { a: [1, 2], text: "x".repeat(10_000) }));
      trace.note("binary", ((await socket.emitWithAck("echo", Buffer.alloc(50_000, 7))) as Buffer).length);
      socket.disconnect();
      await trace.until("disconnect");
      return undefined;
    },
  });
}
