/** The cluster port over real sockets and TLS on loopback: who gets a link, who does not, and what the operator reads. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { FakeClock, handlerOf, LogRecorder, Notes } from "../../test/harness/link-pair.ts";
import { FlotillaError } from "../support/errors.ts";
import * as limits from "../support/limits.ts";
import { type Link, ResetCode, StreamKind, type StreamService } from "./api.ts";
import { type DialOnceOptions, dialOnce } from "./dialer.ts";
import { keyIdsText, type LinkKeys, linkKeys } from "./keys.ts";
import { LinkListener, type LinkListenerOptions } from "./listener.ts";
import { acceptFailure, secureClient } from "./secure.ts";

const oldSecret = Buffer.alloc(32, 1);
const newSecret = Buffer.alloc(32, 2);
const oldKeys = linkKeys(oldSecret, null);
const newKeys = linkKeys(newSecret, null);
const bothKeys = linkKeys(newSecret, oldSecret);

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const echo: StreamService = {
  onStream: () =>
    handlerOf({
      onData(stream, bytes) {
        // Credit is given back when the echo has gone on, so that nothing piles up here.
        if (stream.write(bytes)) stream.consumed(bytes.length);
        else held.set(stream, (held.get(stream) ?? 0) + bytes.length);
      },
      onDrain(stream) {
        stream.consumed(held.get(stream) ?? 0);
        held.delete(stream);
      },
      onEnd: (stream, trailer) => stream.end(trailer),
    }),
};
const held: Map<unknown, number> = new Map();

interface Listening {
  readonly listener: LinkListener;
  readonly recorder: LogRecorder;
  readonly ups: Link[];
  readonly downs: Notes<string>;
}

async function listen(options: Partial<LinkListenerOptions> = {}): Promise<Listening> {
  const recorder = new LogRecorder();
  const ups: Link[] = [];
  const downs = new Notes<string>();
  const listener = new LinkListener({
    self: { name: "app-a", incarnation: "one" },
    address: "127.0.0.1",
    port: 0,
    keys: newKeys,
    knows: (name) => name === "web-a" || name.startsWith("@"),
    services: new Map([[StreamKind.http, echo]]),
    observer: {
      onUp: (link) => void ups.push(link),
      onChange: () => {},
      onDown: (_link, reason) => downs.add(reason),
    },
    log: recorder.log,
    ...options,
  });
  await listener.listen();
  closing.push(() => listener.close());
  return { listener, recorder, ups, downs };
}

async function dial(port: number, options: Partial<DialOnceOptions> = {}): Promise<Link> {
  const link = await dialOnce({
    self: { name: "web-a", incarnation: "two" },
    expected: "app-a",
    address: "127.0.0.1",
    port,
    keys: newKeys,
    services: new Map(),
    log: new LogRecorder().log,
    timeoutMs: 5_000,
    ...options,
  });
  closing.push(() => link.destroy("the test is over"));
  return link;
}

/** Dials and must fail. @returns code and message. */
async function refused(
  port: number,
  options: Partial<DialOnceOptions> = {},
): Promise<{ code: string; message: string }> {
  try {
    await dial(port, options);
  } catch (error) {
    assert.ok(error instanceof FlotillaError);
    return { code: error.code, message: error.message };
  }
  return assert.fail("the link came up");
}

/** A TCP client without key. */
async function stranger(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  closing.push(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await new Promise<void>((resolve) => void socket.once("close", () => resolve()));
}

async function openPort(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Holds the key and speaks TLS, but writes what the test wants. */
async function keyHolder(port: number, keys: LinkKeys = newKeys): Promise<TLSSocket> {
  const raw = await stranger(port);
  await once(raw, "readable");
  raw.read();
  const socket = secureClient(raw, keys.current);
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

test("the right key: both sides know each other, and bytes come back unchanged", async () => {
  const { listener, ups, downs } = await listen();
  const link = await dial(listener.port);
  assert.deepEqual({ ...link.peer }, { name: "app-a", incarnation: "one", pid: process.pid, version: 2 });
  assert.deepEqual({ ...ups[0]!.peer }, { name: "web-a", incarnation: "two", pid: process.pid, version: 2 });
  assert.equal(link.remote, `127.0.0.1:${listener.port}`);

  const sent = Buffer.alloc(3_000_000, "0123456789abcdef~");
  const heard: Buffer[] = [];
  const trailer = await new Promise<string>((resolve, reject) => {
    const stream = link.open(
      StreamKind.http,
      "",
      false,
      handlerOf({
        onData(from, bytes) {
          heard.push(Buffer.from(bytes));
          from.consumed(bytes.length);
        },
        onEnd: (_stream, text) => resolve(text),
        onReset: (_stream, code, text) => reject(new Error(`${code} ${text}`)),
      }),
    )!;
    stream.write(sent);
    stream.end("checksum\n7");
  });
  assert.equal(trailer, "checksum\n7");
  assert.ok(Buffer.concat(heard).equals(sent));
  assert.equal(link.streamCount, 0);

  link.destroy("done");
  assert.equal(await downs.at(0), "web-a closed the connection");
});

test("another secret: both operators read both key ids", async () => {
  const { listener, recorder, ups } = await listen();
  const { code, message } = await refused(listener.port, { keys: oldKeys });
  assert.equal(code, "FLOTILLA_LINK_WRONG_KEY");
  assert.equal(
    message,
    `app-a (127.0.0.1:${listener.port}) uses another secret (its key id is ${newKeys.current.id}, ours is ${oldKeys.current.id}): give both the same secret`,
  );
  const line = await recorder.line(/secret/);
  assert.match(
    line,
    new RegExp(
      `uses another secret \\(its key id is ${oldKeys.current.id}, ours is ${newKeys.current.id}\\)`,
    ),
  );
  assert.equal(ups.length, 0);
});

test("while secrets are changed, the previous one is good in both directions", async () => {
  for (const [ours, theirs] of [
    [bothKeys, oldKeys],
    [oldKeys, bothKeys],
    [bothKeys, newKeys],
    [bothKeys, bothKeys],
  ] as const) {
    const { listener } = await listen({ keys: ours });
    assert.equal((await dial(listener.port, { keys: theirs })).usable, true);
  }
  assert.equal(keyIdsText(bothKeys), `${newKeys.current.id} (and ${oldKeys.current.id}, the previous one)`);
});

test("the bytes of a good client, sent again, prove nothing", async () => {
  const { listener, recorder, ups } = await listen();
  const recorded: Buffer[] = [];
  const proxy = createServer((client) => {
    const server = connect(listener.port, "127.0.0.1");
    client.on("data", (bytes) => void recorded.push(bytes));
    client.pipe(server).pipe(client);
    for (const socket of [client, server]) socket.on("error", () => {});
  });
  const link = await dial(await openPort(proxy));
  link.open(StreamKind.http, "an order that must not come twice", true, handlerOf());
  link.destroy("recorded");
  await once(proxy.close(), "close");
  const replay = await stranger(listener.port);
  replay.write(Buffer.concat(recorded));
  await closed(replay);
  const line = await recorder.line(/replayed/);
  assert.match(
    line,
    new RegExp(
      `named our key ${newKeys.current.id} and could not prove that it holds it: replayed or altered bytes`,
    ),
  );
  assert.equal(ups.length, 1);
});

test("garbage, HTTP and foreign TLS are closed, and said once", async () => {
  const { listener, recorder } = await listen();
  const cases: readonly [string | Buffer, RegExp][] = [
    [
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      /speaks HTTP; this is the cluster port, browsers use the addresses under listen:/,
    ],
    ["garbage garbage garbage", /sent what is not the cluster protocol \(ERR_SSL_WRONG_VERSION_NUMBER\)/],
    // A frame of 1 GiB, and a TLS record longer than any may be.
    [
      Buffer.from([0x40, 0, 0, 0, 4, 0, 0, 1]),
      /sent what is not the cluster protocol \(ERR_SSL_WRONG_VERSION_NUMBER\)/,
    ],
    [
      Buffer.from([0x16, 3, 1, 0xff, 0xff, 1, 2, 3]),
      /sent what is not the cluster protocol \(ERR_SSL_DATA_LENGTH_TOO_LONG\)/,
    ],
  ];
  for (const [bytes, pattern] of cases) {
    const socket = await stranger(listener.port);
    socket.write(bytes);
    await closed(socket);
    await recorder.line(pattern);
  }
  const raw = await stranger(listener.port);
  await once(raw, "readable");
  raw.read();
  const foreign = connectTls({ socket: raw, rejectUnauthorized: false });
  foreign.on("error", () => {});
  await closed(foreign);
  await recorder.line(/sent what is not the cluster protocol \(ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM\)/);
  const before = recorder.lines.length;
  const again = await stranger(listener.port);
  again.write("GET / HTTP/1.1\r\n\r\n");
  await closed(again);
  assert.equal(recorder.lines.length, before, "the same complaint is not said twice in ten seconds");
  assert.equal((await dial(listener.port)).usable, true);
});

test("half a handshake is held for five seconds at most, and the oldest makes room for the next", async () => {
  const clock = new FakeClock();
  const { listener, recorder } = await listen({ clock });
  const sockets: Socket[] = [];
  for (let index = 0; index < limits.link.handshakesMax; index++) {
    const socket = await stranger(listener.port);
    socket.write(Buffer.from([0x16, 3, 1, 1, 0, 1, 0]));
    await once(socket, "readable");
    sockets.push(socket);
  }
  assert.equal((await dial(listener.port)).usable, true);
  await closed(sockets.shift()!);
  await recorder.line(/was closed to make room: 64 handshakes are unfinished/);
  clock.advance(limits.link.handshakeTimeoutMs - 1);
  assert.ok(sockets.every((socket) => !socket.closed));
  clock.advance(1);
  await Promise.all(sockets.map(closed));
  await recorder.line(/did not finish the handshake in 5 s/);
  assert.equal((await dial(listener.port)).usable, true);
});

test("a key holder that says no hello, or a wrong one, is closed", async () => {
  const { listener, recorder } = await listen();
  const wrong = await keyHolder(listener.port);
  wrong.write(Buffer.from([0x40, 0, 0, 0, 4, 0, 0, 1]));
  await closed(wrong);
  assert.match(
    await recorder.line(/unknown type/),
    /got no link: 127\.0\.0\.1:\d+ broke the cluster protocol: a frame of unknown type 64/,
  );
  const clock = new FakeClock();
  const second = await listen({ clock });
  const mute = await keyHolder(second.listener.port);
  clock.advance(limits.link.handshakeTimeoutMs);
  await closed(mute);
  await second.recorder.line(/did not finish the handshake in 5 s/);
});

test("a ticket of an earlier connection opens nothing without the key", async () => {
  const { listener, recorder } = await listen();
  const first = await keyHolder(listener.port);
  const [session] = (await once(first, "session")) as [Buffer];
  first.destroy();
  const raw = await stranger(listener.port);
  await once(raw, "readable");
  raw.read();
  const second = connectTls({ socket: raw, session, minVersion: "TLSv1.3", rejectUnauthorized: false });
  let secured = false;
  second.on("secureConnect", () => {
    secured = true;
  });
  second.on("error", () => {});
  await closed(second);
  assert.equal(secured, false);
  await recorder.line(/sent what is not the cluster protocol/);
});

test("names: the unknown, the wrong and one's own are refused, and both sides read why", async () => {
  const { listener, recorder } = await listen();
  const cases: readonly [Partial<DialOnceOptions>, string][] = [
    [
      { self: { name: "web-x", incarnation: "i" } },
      '"app-a" finds no server "web-x" in its file: give both the same flotilla.yaml',
    ],
    [
      { expected: "app-b" },
      '"web-a" dialed "app-b" and reached "app-a": give both the same flotilla.yaml, and each server the address that is its own',
    ],
    [
      { self: { name: "app-a", incarnation: "i" } },
      'both ends are called "app-a": every server has a name of its own, and one process runs it',
    ],
    [
      { versions: { lowest: 3, highest: 3 } },
      '"app-a" speaks versions 1 to 2 of the cluster protocol, "web-a" version 3: upgrade "app-a" (releases one protocol version apart work together)',
    ],
  ];
  for (const [options, text] of cases) {
    const { code, message } = await refused(listener.port, options);
    assert.equal(code, "FLOTILLA_LINK_REFUSED");
    assert.equal(message, `${options.expected ?? "app-a"} refused the link: ${text}`);
    const line = await recorder.line(new RegExp(text.replace(/[()."]/g, "\\$&")));
    assert.match(line, /^cluster port: 127\.0\.0\.1:\d+ got no link: refused: /);
  }
});

test("a peer of the previous version gets a link, in either role", async () => {
  const previous = { lowest: 1, highest: 1 };
  const { listener } = await listen();
  assert.equal((await dial(listener.port, { versions: previous })).peer.version, 1);
  const older = await listen({ versions: previous });
  assert.equal((await dial(older.listener.port)).peer.version, 1);
});

test("what is no cluster port is told from one that is not there", async () => {
  const ssh = createServer((socket) => socket.end("SSH-2.0-OpenSSH_9.9\r\n").on("error", () => {}));
  const sshPort = await openPort(ssh);
  assert.deepEqual(await refused(sshPort), {
    code: "FLOTILLA_LINK_REFUSED",
    message: `what answers at app-a (127.0.0.1:${sshPort}) is no cluster port; it says "SSH-2.0-OpenSSH_9.9??"`,
  });
  const mute = createServer((socket) => void socket.on("error", () => {}).resume());
  const mutePort = await openPort(mute);
  const clock = new FakeClock();
  const waiting = refused(mutePort, { clock, timeoutMs: 2_000 });
  await once(mute, "connection");
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(2_000);
  assert.match((await waiting).message, /in 2 s$/);
  const gone = await openPort(createServer());
  await closing.pop()!();
  assert.deepEqual(await refused(gone), {
    code: "FLOTILLA_LINK_UNREACHABLE",
    message: `nothing listens at app-a (127.0.0.1:${gone}): the server is not started, or its address in the file is wrong`,
  });
  const hangup = createServer((socket) => socket.destroy());
  assert.match(
    (await refused(await openPort(hangup))).message,
    /closed the connection before the handshake was over$/,
  );
});

test("a server with a certificate in place of the key is a stranger, whatever signed it", async () => {
  const impostor = createTlsServer({ cert: impostorCert, key: impostorKey, minVersion: "TLSv1.3" });
  const port = await openPort(
    createServer((raw) => {
      raw.on("error", () => {});
      raw.write(`FLOTILLA ${newKeys.current.id}\n`);
      impostor.emit("connection", raw);
    }),
  );
  impostor.on("secureConnection", (socket) => socket.on("error", () => {}));
  const { code, message } = await refused(port);
  assert.equal(code, "FLOTILLA_LINK_WRONG_KEY");
  assert.match(message, /could not prove that it holds our key/);
});

test("a port that can't be opened says what to do", async () => {
  const { listener } = await listen();
  await assert.rejects(listen({ port: listener.port }), {
    code: "FLOTILLA_PORT_IN_USE",
    message: `the cluster port 127.0.0.1:${listener.port} is in use: another process listens there; stop it, or give this server another port`,
  });
  await assert.rejects(listen({ address: "192.0.2.1" }), {
    code: "FLOTILLA_ADDRESS_NOT_HERE",
    message:
      "the cluster port 192.0.2.1:0 can't be opened: 192.0.2.1 is no address of this machine; start this server on its own machine, or correct its address",
  });
});

test("goAway is for servers; a tool may go on asking; close ends what is open", async () => {
  const { listener, recorder } = await listen();
  const changes = new Notes<Link>();
  const downs = new Notes<string>();
  const resets: string[] = [];
  const link = await dial(listener.port, {
    observer: {
      onUp: () => {},
      onChange: (changed) => changes.add(changed),
      onDown: (_link, reason) => downs.add(reason),
    },
  });
  const tool = await dial(listener.port, { self: { name: "@cli", incarnation: "i" } });
  const onReset = (_stream: unknown, code: ResetCode, text: string): void =>
    void resets.push(`${code} ${text}`);
  assert.notEqual(link.open(StreamKind.http, "", false, handlerOf({ onReset })), null);
  listener.goAway();
  assert.equal((await changes.at(0)).usable, false);
  const late = await dial(listener.port, { self: { name: "@cli", incarnation: "j" } });
  assert.ok(tool.usable && late.usable);
  await listener.close();
  assert.equal(await downs.at(0), "app-a closed the connection");
  assert.deepEqual(resets, [`${ResetCode.linkLost} app-a closed the connection`]);
  assert.deepEqual(recorder.lines, []);
});

// Made for this test: self-signed, of use to nobody.
const impostorCert = `-----BEGIN CERTIFICATE-----
MIIBkjCCATmgAwIBAgIUWpPgcZSMl12Ik1BnetP4BAkvwA4wCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFYXBwLWEwIBcNMjYxMTIxMDgzMjI3WhgPMjEyNjEwMjgwODMy
MjdaMBAxDjAMBgNVBAMMBWFwcC1hMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
kD2y1iDVvcUCg1ap3Apa2YXjAKuZ0emtVxwPHrc7n9WeqXK49lYjIS/cODnh5i97
NPQ5TfcAKffzXl9QSB1rPqNvMG0wHQYDVR0OBBYEFHdi70+2Isqdn3amVVkB46If
FnffMB8GA1UdIwQYMBaAFHdi70+2Isqdn3amVVkB46IfFnffMA8GA1UdEwEB/wQF
MAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMAoGCCqGSM49BAMCA0cA
MEQCIBCl5TAYK+GUPue/7Z2NNZ1SDdchfT9bZixVDpguVjLrAiAoJkE2YZqVkT52
eCJQng1oJX2HaVYw/vm8dx+TWn39PQ==
-----END CERTIFICATE-----`;
const impostorKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLDcSD4ZopTxiKIDV
Ici05gsfl/j4n52kjAHNeXmWs8ehRANCAASQPbLWINW9xQKDVqncClrZheMAq5nR
6a1XHA8etzuf1Z6pcrj2ViMhL9w4OeHmL3s09DlN9wAp9/NeX1BIHWs+
-----END PRIVATE KEY-----`;

test("who goes away in the middle of a handshake is not taken for an attacker", () => {
  const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
  assert.equal(
    acceptFailure(reset, newKeys, newKeys.current.id),
    "closed the connection before the handshake was over",
  );
});
