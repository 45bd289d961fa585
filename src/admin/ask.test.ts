import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ClusterFile, Server } from "../config/model.ts";
import { type LinkStream, ResetCode, type StreamHandler, StreamKind } from "../link/api.ts";
import { linkKeys } from "../link/keys.ts";
import { LinkListener } from "../link/listener.ts";
import { admin as limits } from "../support/limits.ts";
import { silentLog } from "../support/log.ts";
import { Asker } from "./ask.ts";

const file = { secret: Buffer.alloc(32, "key"), previousSecret: null } as unknown as ClusterFile;
const deaf: StreamHandler = { onData: () => {}, onEnd: () => {}, onReset: () => {}, onDrain: () => {} };

/** A server that does `act` with every question; false when it has reset the stream. */
async function serverThat(t: TestContext, act: (stream: LinkStream) => unknown): Promise<Server> {
  const listener = new LinkListener({
    self: { name: "app-a", incarnation: "1" },
    address: "127.0.0.1",
    port: 0,
    keys: linkKeys(file.secret, null),
    knows: () => true,
    services: new Map([
      [
        StreamKind.admin,
        {
          onStream(stream) {
            return act(stream) === false ? null : deaf;
          },
        },
      ],
    ]),
    log: silentLog,
  });
  await listener.listen();
  t.after(() => listener.close());
  return { name: "app-a", address: "127.0.0.1", port: listener.port } as Server;
}

function ask(server: Server, timeoutMs = 5_000): Promise<unknown> {
  return new Asker(file).server(server, { ask: "status" }, timeoutMs);
}

test("an answer in many pieces", async (t) => {
  const names = Array.from({ length: 50_000 }, (_, index) => `server-${index}`);
  const server = await serverThat(t, (stream) => {
    stream.write(JSON.stringify({ names }), "utf8");
    stream.end();
  });
  assert.deepEqual(await ask(server), { names });
});

test("an answer that is an error", async (t) => {
  const server = await serverThat(t, (stream) => {
    stream.write('{"error":"unknown"}');
    stream.end();
  });
  await assert.rejects(ask(server), { code: "FLOTILLA_QUESTION_REFUSED", message: "app-a says: unknown" });
});

test("no answer in time, a reset, and an answer without end", async (t) => {
  const mute = await serverThat(t, () => {});
  await assert.rejects(ask(mute, 300), {
    code: "FLOTILLA_NO_ANSWER",
    message: /did not answer within 0\.3 s/,
  });

  const refusing = await serverThat(t, (stream) => {
    stream.reset(ResetCode.refused, "not now");
    return false;
  });
  await assert.rejects(ask(refusing), { code: "FLOTILLA_NO_ANSWER", message: /not now/ });

  const endless = await serverThat(t, (stream) => {
    stream.write(Buffer.alloc(limits.answerBytesMax + 1, "x"));
  });
  await assert.rejects(ask(endless), { code: "FLOTILLA_NO_ANSWER", message: /more than 1048576 bytes/ });
});

test("nobody there", async () => {
  const nobody = { name: "app-a", address: "127.0.0.1", port: 1 } as Server;
  await assert.rejects(ask(nobody), { code: "FLOTILLA_LINK_UNREACHABLE", message: /nothing listens/ });
});
