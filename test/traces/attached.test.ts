/** Programs that know nothing of Flotilla, alone and attached: what they see and what their clients get is the same. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { io } from "socket.io-client";
import { WebSocket } from "ws";
import { StreamKind } from "../../src/link/api.ts";
import { attachedProgram } from "../harness/attached-program.ts";
import { freePorts } from "../harness/free-ports.ts";
import { start, type TestProcess, until } from "../harness/process.ts";
import { type Way, wayOverLink, wayToPort } from "./ways.ts";

const program = join(import.meta.dirname, "program.ts");

interface Running {
  readonly process: TestProcess;
  readonly way: Way;
}

async function alone(t: TestContext, framework: string): Promise<Running> {
  const [port] = (await freePorts(1)) as [number];
  const env = { FRAMEWORK: framework, PORT: String(port) };
  const process = start(t, globalThis.process.execPath, [program], { env });
  await process.line(/^trace \["listening"/);
  return {
    process,
    way: wayToPort(
      port,
      async () => {},
      async () => {},
    ),
  };
}

async function attached(t: TestContext, framework: string): Promise<Running> {
  const running = await attachedProgram(t, `await import(${JSON.stringify(program)});`, {
    env: { FRAMEWORK: framework },
  });
  const link = await running.link();
  const opener = {
    open: (...[meta, ended, handler]: Parameters<Parameters<typeof wayOverLink>[0]["open"]>) =>
      link.open(StreamKind.http, meta, ended, handler)!,
  };
  return {
    process: running.process,
    way: await wayOverLink(
      opener,
      async () => {},
      async () => {},
    ),
  };
}

function tracesOf({ process }: Running): string[] {
  return process.stdout.split("\n").filter((line) => line.startsWith("trace "));
}

/** @param client what it gets, in the order in which it gets it; `traced` awaits that so many lines are printed. */
function same(
  framework: string,
  client: (way: Way, traced: (count: number) => Promise<unknown>) => Promise<unknown>,
): void {
  test(`${framework}: alone and attached`, { timeout: 40_000 }, async (t) => {
    const [one, other] = await Promise.all(
      [await alone(t, framework), await attached(t, framework)].map(async (running) => {
        const traced = (count: number): Promise<unknown> =>
          until(`${count} traces`, () => tracesOf(running).length >= count);
        const answers = await client(running.way, traced);
        await running.way.close();
        return { answers, traces: tracesOf(running) };
      }),
    );
    assert.deepEqual(other, one);
  });
}

for (const framework of ["express", "fastify", "koa", "hono"]) {
  same(framework, async (way, traced) => {
    const text = '{"list":[1,2,3]}';
    const fields = [["Content-Type", "application/json"]] as const;
    const post = { target: "/json", method: "POST", fields };
    const answers: unknown[] = [];
    let traces = 1;
    for (const [head, body] of [
      [{ target: "/" }],
      [{ target: "/", method: "HEAD" }],
      [{ target: "/missing?x=1" }],
      [{ ...post, body: text.length }, text],
      [{ ...post, body: "chunked" }, text],
      [{ target: "/throws" }],
      [{ target: "/stream" }],
    ] as const) {
      answers.push(await way.exchange(head, body));
      await traced(++traces);
    }
    return answers;
  });
}

same("ws", async (way, traced) => {
  const answer = await way.exchange({ target: "/plain" });
  await traced(2);
  const socket = new WebSocket(`ws://127.0.0.1:${way.port}/path?q=1`);
  await once(socket, "open");
  socket.send("hello");
  const [echo] = (await once(socket, "message")) as [Buffer];
  socket.close(4000, "done");
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  await traced(5);
  return [answer, String(echo), code, String(reason)];
});

same("socket.io", async (way, traced) => {
  const socket = io(`http://127.0.0.1:${way.port}`, { forceNew: true, reconnection: false });
  await new Promise<void>((resolve) => socket.on("connect", resolve));
  await traced(3);
  const echo: unknown = await socket.emitWithAck("echo", "hello");
  socket.disconnect();
  await traced(5);
  return echo;
});
