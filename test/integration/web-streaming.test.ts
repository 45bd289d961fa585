/** Long bodies and endless ones: backpressure both ways, bounded memory, events unbuffered. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { http as limits } from "../../src/support/limits.ts";
import { RawClient, RawOrigin } from "../harness/raw.ts";
import { webSite } from "../harness/web-site.ts";

const mib = 1_048_576;
const piece = Buffer.alloc(65_536, "p");
/** Of client, web server and app server, which are all in this process; test/memory measures the web server alone. */
const growthMax = 128 * mib;

/** An origin whose connections the test works on itself, from the end of a request's head on. */
async function bareOrigin(t: TestContext, onHead: (socket: Socket, body: Buffer) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (bytes) => onHead(socket, bytes.subarray(bytes.indexOf("\r\n\r\n") + 4)));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

async function bareClient(t: TestContext, port: number, head: string): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {});
  t.after(() => void socket.destroy());
  await once(socket, "connect");
  socket.write(head);
  return socket;
}

/** Writes so many bytes as fast as they are taken. */
function pump(socket: Socket, bytes: number): void {
  let left = bytes;
  const write = (): void => {
    while (left > 0) {
      const next = left < piece.length ? piece.subarray(0, left) : piece;
      left -= next.length;
      if (!socket.write(next)) return void socket.once("drain", write);
    }
  };
  write();
}

/** The highest use of buffers and heap above now, until told to stop. */
function memoryWatch(): () => number {
  const used = (): number => {
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    return arrayBuffers + heapUsed;
  };
  const before = used();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, used());
  }, 5);
  return () => {
    clearInterval(timer);
    return most - before;
  };
}

/** Counts until so many bytes have come. */
async function received(socket: Socket, bytes: number, already = 0): Promise<void> {
  let got = already;
  await new Promise<void>((resolve) => {
    const look = (): void => (got >= bytes ? resolve() : undefined);
    socket.on("data", (data) => {
      got += data.length;
      look();
    });
    socket.once("close", () => resolve());
    look();
  });
  assert.ok(got >= bytes, `${got} of ${bytes} bytes`);
}

test("a download of 256 MiB in bounded memory", async (t) => {
  for (const framing of [`Content-Length: ${256 * mib}`, "Connection: close"]) {
    const port = await bareOrigin(t, (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`);
      pump(socket, 256 * mib);
    });
    const web = await webSite(t, [port]);
    const watch = memoryWatch();
    const client = await bareClient(t, web.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await received(client, 256 * mib);
    const growth = watch();
    assert.ok(growth < growthMax, `memory grew by ${growth} bytes`);
    client.destroy();
  }
});

test("an upload of 256 MiB in bounded memory", async (t) => {
  let got = Promise.resolve();
  const port = await bareOrigin(t, (socket, body) => {
    got = received(socket, 256 * mib, body.length).then(
      () => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    );
  });
  const web = await webSite(t, [port]);
  const watch = memoryWatch();
  const head = `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${256 * mib}\r\n\r\n`;
  const client = await bareClient(t, web.port, head);
  pump(client, 256 * mib);
  const [answer] = (await once(client, "data")) as [Buffer];
  await got;
  assert.match(answer.toString("latin1"), /^HTTP\/1\.1 200 OK/);
  const growth = watch();
  assert.ok(growth < growthMax, `memory grew by ${growth} bytes`);
});

test("a client that does not read stops the app server, in bounded memory", async (t) => {
  let origin: Socket | null = null;
  const port = await bareOrigin(t, (socket) => {
    origin = socket;
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${256 * mib}\r\n\r\n`);
    pump(socket, 256 * mib);
  });
  const web = await webSite(t, [port]);
  const watch = memoryWatch();
  const client = await bareClient(t, web.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const sent = (): number => (origin === null ? 0 : origin.bytesWritten - origin.writableLength);
  const stopped = await stable(sent);
  // What is left in between are the kernel's buffers of two connections, and ours.
  assert.ok(stopped < 64 * mib, `${stopped} bytes were taken from the app server`);
  await received(client, 256 * mib);
  assert.ok(watch() < growthMax);
});

test("an app server that does not read stops the client, in bounded memory", async (t) => {
  let origin: Socket | null = null;
  const port = await bareOrigin(t, (socket) => {
    socket.pause();
    origin = socket;
  });
  const web = await webSite(t, [port]);
  const watch = memoryWatch();
  const head = `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${256 * mib}\r\n\r\n`;
  const client = await bareClient(t, web.port, head);
  pump(client, 256 * mib);
  const stopped = await stable(() => client.bytesWritten - client.writableLength);
  assert.ok(stopped < 64 * mib, `${stopped} bytes were taken from the client`);
  const rest = received(origin!, 250 * mib);
  origin!.resume();
  await rest;
  assert.ok(watch() < growthMax);
});

test("an answer that fits the buffer frees the app server, however slowly it is read", async (t) => {
  const body = "x".repeat(limits.answerBufferBytesMax - 4_096);
  const origin = await RawOrigin.start(
    t,
    () => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const web = await webSite(t, [origin.port]);
  const clients = [];
  for (let at = 0; at < 4; at++) {
    const client = await RawClient.open(web.port);
    client.socket.pause();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await web.logged(at);
    assert.equal(web.upstreams[0]!.inFlight, 0);
    clients.push(client);
  }
  // One connection to the app server served them all.
  assert.equal(origin.connections.length, 1);
  for (const client of clients) {
    client.socket.resume();
    assert.ok((await client.answer()).body === body);
  }
});

test("one stalled download leaves the others their speed", async (t) => {
  const port = await bareOrigin(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * mib}\r\n\r\n`);
    pump(socket, 64 * mib);
  });
  const web = await webSite(t, [port]);
  const stalled = await bareClient(t, web.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  stalled.pause();
  const other = await bareClient(t, web.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await received(other, 64 * mib);
});

test("many bodies at once, in odd pieces and with stalls: each arrives as it was sent", async (t) => {
  const bytes = 2 * mib;
  const contents = Array.from({ length: 8 }, () => randomBytes(bytes));
  let next = 0;
  const uploads: Promise<Buffer>[] = [];
  const port = await bareOrigin(t, (socket, begin) => {
    const content = contents[next++ % contents.length]!;
    socket.write(
      `HTTP/1.1 200 OK\r\nX-Number: ${contents.indexOf(content)}\r\nContent-Length: ${bytes}\r\n\r\n`,
    );
    const sizes = [1, 5_000, 16_384, 20_000, 65_536, 70_000];
    const write = (at: number, turn: number): void => {
      if (at >= bytes) return;
      const to = Math.min(bytes, at + sizes[turn % sizes.length]!);
      socket.write(content.subarray(at, to));
      setImmediate(write, to, turn + 1);
    };
    write(0, 0);
    uploads.push(collect(socket, bytes, [begin]));
  });
  const web = await webSite(t, [port]);
  await Promise.all(
    contents.map(async (_content, at) => {
      const upload = randomBytes(bytes);
      const head = `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`;
      const client = await bareClient(t, web.port, head);
      client.write(upload);
      if (at % 2 === 0) {
        const stall = setInterval(() => (client.isPaused() ? client.resume() : client.pause()), 3);
        client.once("close", () => clearInterval(stall));
        t.after(() => clearInterval(stall));
      }
      const answer = await collect(client, bytes, []);
      const body = answer.subarray(answer.length - bytes);
      const number = Number(/X-Number: (\d)/.exec(answer.toString("latin1", 0, 200))![1]);
      assert.ok(body.equals(contents[number]!), `answer ${number}`);
      const received = await Promise.all(uploads);
      assert.ok(
        received.some((got) => got.equals(upload)),
        `upload ${at}`,
      );
    }),
  );
});

/** Everything that comes, until `bytes` and a head, if there is one, are there. */
function collect(socket: Socket, bytes: number, begin: readonly Buffer[]): Promise<Buffer> {
  const parts = [...begin];
  return new Promise((resolve) => {
    let got = begin.reduce((sum, part) => sum + part.length, 0);
    socket.on("data", (data) => {
      parts.push(data);
      got += data.length;
      const first = parts[0]!;
      const head = first.toString("latin1", 0, 5) === "HTTP/" ? first.indexOf("\r\n\r\n") + 4 : 0;
      if (got >= bytes + head) resolve(Buffer.concat(parts));
    });
  });
}

test("server-sent events arrive one by one, each before the next is sent", async (t) => {
  const origin = await RawOrigin.start(
    t,
    () => "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
  );
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send("GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n");
  // The head alone, before any event.
  assert.match(await client.read(/\r\n\r\n/), /text\/event-stream/);
  for (let at = 0; at < 20; at++) {
    const event = `data: ${at}\n\n`;
    origin.connections[0]!.send(`${event.length.toString(16)}\r\n${event}\r\n`);
    assert.equal(await client.read(/\n\n\r\n/), `${event.length.toString(16)}\r\n${event}\r\n`);
  }
});

test("an upload's pieces reach the app server one by one", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  await origin.arrived(/\r\n\r\n$/);
  for (let at = 0; at < 20; at++) {
    client.send(`2\r\n${at % 10}!\r\n`);
    await origin.arrived(new RegExp(`(2\r\n\\d!\r\n){${at + 1}}$`));
  }
});

/** The value once it has not changed for a while. */
async function stable(value: () => number): Promise<number> {
  for (let before = -1; ; ) {
    const now = value();
    if (now === before && now > 0) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
