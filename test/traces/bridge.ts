/**
 * A port for clients that speak HTTP themselves (ws, socket.io-client), in front of a link: the least of a web
 * tier. One request per connection; the answer's bytes pass as they are.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { ResetCode } from "../../src/link/api.ts";
import type { Opener } from "./ways.ts";

export interface Bridge {
  readonly port: number;
  close(): void;
}

export async function openBridge(link: Opener): Promise<Bridge> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    let head = Buffer.alloc(0);
    socket.on("data", function readHead(bytes: Buffer) {
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.removeListener("data", readHead);
      carry(link, socket, head.toString("latin1", 0, end), head.subarray(end + 4));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function carry(link: Opener, socket: Socket, head: string, first: Buffer): void {
  const [requestLine = "", ...lines] = head.split("\r\n");
  const [method, target] = requestLine.split(" ");
  const fields = lines.map(
    (line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)] as const,
  );
  const fieldOf = (name: string): string | undefined =>
    fields.find((field) => field[0].toLowerCase() === name)?.[1];
  const upgrade = fieldOf("upgrade") !== undefined;
  const bodyless = !upgrade && fieldOf("content-length") === undefined;
  let bodyLeft = upgrade ? Number.POSITIVE_INFINITY : Number(fieldOf("content-length") ?? 0);
  const meta = [
    method,
    target,
    "1.1",
    "http",
    "127.0.0.1",
    "54321",
    "127.0.0.1",
    "80",
    upgrade ? "u" : "",
    ...fields.flat(),
  ];
  const stream = link.open(meta.join("\n"), bodyless, {
    onData(stream, bytes) {
      stream.consumed(bytes.length);
      socket.write(Buffer.from(bytes));
    },
    onEnd: () => socket.end(),
    onReset: () => socket.destroy(),
    onDrain() {
      socket.resume();
    },
  });
  const send = (bytes: Buffer): void => {
    if (stream.closed || bytes.length === 0) return;
    bodyLeft -= bytes.length;
    if (!stream.write(bytes)) socket.pause();
    if (bodyLeft <= 0) stream.end();
  };
  send(first);
  socket.on("data", send);
  socket.on("end", () => {
    if (upgrade && !stream.closed) stream.end();
  });
  socket.on("error", () => {});
  socket.on("close", () => stream.reset(ResetCode.cancel));
}
