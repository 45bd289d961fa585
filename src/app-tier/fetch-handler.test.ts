/** Fetch handlers: both bodies stream, the client's leaving aborts, what fails becomes 500 or a cut answer. */
import assert from "node:assert/strict";
import http from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { type FetchHandler, nodeHandler, refusingResponses } from "./fetch-handler.ts";

async function serveFetch(t: TestContext, handler: FetchHandler): Promise<string> {
  const server = http.createServer(nodeHandler(handler));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("method, URL, headers and body arrive; status, headers and cookies go back", async (t) => {
  const url = await serveFetch(t, async (request) => {
    const { pathname, search, host } = new URL(request.url);
    const headers = new Headers({ "X-Seen": `${request.method} ${pathname}${search} ${host !== ""}` });
    headers.append("Set-Cookie", "a=1");
    headers.append("Set-Cookie", "b=2");
    return new Response(`${request.headers.get("x-in")} ${await request.text()}`, { status: 201, headers });
  });
  const answer = await fetch(`${url}/path?q=1`, { method: "POST", body: "body", headers: { "X-In": "in" } });
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get("x-seen"), "POST /path?q=1 true");
  assert.deepEqual(answer.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.equal(await answer.text(), "in body");
});

test("a body passes through piece by piece", async (t) => {
  const url = await serveFetch(t, (request) => new Response(request.body));
  const bytes = new Uint8Array(2_000_000).fill(7);
  const answer = await fetch(url, { method: "PUT", body: bytes });
  assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), bytes);
});

test("HEAD has no body, and the response's body is cancelled", async (t) => {
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const url = await serveFetch(t, () => new Response(new ReadableStream({ cancel: () => resolve() })));
  assert.equal((await fetch(url, { method: "HEAD" })).status, 200);
  await cancelled;
});

test("a client that leaves aborts the request's signal and cancels the response's body", async (t) => {
  const aborted = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  const url = await serveFetch(t, (request) => {
    request.signal.addEventListener("abort", () => aborted.resolve());
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode("begun")),
      cancel: () => cancelled.resolve(),
    });
    return new Response(body);
  });
  const leaving = new AbortController();
  const answer = await fetch(url, { signal: leaving.signal });
  await answer.body!.getReader().read();
  leaving.abort();
  await Promise.all([aborted.promise, cancelled.promise]);
});

test("a reader that does not read holds up the response's body", async (t) => {
  let pulled = 0;
  const url = await serveFetch(
    t,
    () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            pulled++;
            controller.enqueue(new Uint8Array(65_536));
          },
        }),
      ),
  );
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  socket.pause();
  let before = -1;
  while (before !== pulled || pulled === 0) {
    before = pulled;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(pulled < 1_000, `${pulled} pieces for a reader that takes none`);
});

test("what it throws is printed and answered with 500; a body that fails later cuts the answer", async (t) => {
  const printed: unknown[] = [];
  t.mock.method(console, "error", (error: unknown) => printed.push(error));
  const failure = new Error("boom");
  const url = await serveFetch(t, (request) => {
    if (request.url.endsWith("/now")) throw failure;
    if (request.url.endsWith("/soon")) return Promise.reject(failure);
    let pieces = 0;
    return new Response(
      new ReadableStream({
        pull(controller) {
          if (pieces++ > 0) throw failure;
          controller.enqueue(new Uint8Array(10));
        },
      }),
    );
  });
  assert.equal((await fetch(`${url}/now`)).status, 500);
  assert.equal(await (await fetch(`${url}/soon`)).text(), "Internal Server Error");
  const cut = await fetch(`${url}/later`);
  assert.equal(cut.status, 200);
  await assert.rejects(cut.text());
  assert.deepEqual(printed, [failure, failure, failure]);
});

test("a target that makes no URL is 400", async (t) => {
  const url = await serveFetch(t, () => new Response("never"));
  const { port, hostname } = new URL(url);
  for (const host of ["a b", "a/admin?", "user@a", "a#"]) {
    const status = await new Promise<number>((resolve) => {
      http.get({ port, hostname, path: "/", headers: { Host: host } }, (res) => {
        res.resume();
        resolve(res.statusCode!);
      });
    });
    assert.equal(status, 400, host);
  }
});

test("answers without a body: 204, 304, null; Response.error() is 500", async (t) => {
  t.mock.method(console, "error", () => {});
  const answers: Record<string, () => Response> = {
    "/204": () => new Response(null, { status: 204, headers: { "X-A": "b" } }),
    "/304": () => new Response(null, { status: 304, headers: { ETag: '"e"' } }),
    "/null": () => new Response(null),
    "/empty": () => new Response(""),
    "/error": () => Response.error(),
  };
  const url = await serveFetch(t, (request) => answers[new URL(request.url).pathname]!());
  for (const [path, status] of [
    ["/204", 204],
    ["/304", 304],
    ["/null", 200],
    ["/empty", 200],
    ["/error", 500],
  ] as const) {
    const answer = await fetch(url + path);
    assert.equal(answer.status, status);
    assert.equal(await answer.text(), status === 500 ? "Internal Server Error" : "");
  }
});

test("a body that nobody reads holds up nothing: the next request of the connection is answered", async (t) => {
  const url = await serveFetch(t, async (request) => {
    if (request.url.endsWith("/part")) await request.body!.getReader().read();
    return new Response("unread");
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  for (const path of ["/none", "/none", "/part", "/none"]) {
    const text = await new Promise<string>((resolve, reject) => {
      const request = http.request(url + path, { agent, method: "POST" }, async (res) => {
        let body = "";
        for await (const piece of res) body += piece;
        resolve(body);
      });
      request.on("error", reject);
      request.end(Buffer.alloc(500_000));
    });
    assert.equal(text, "unread");
  }
});

test("an upgrade that it is asked for is a request like any other", async (t) => {
  const url = await serveFetch(t, (request) => new Response(request.headers.get("upgrade"), { status: 426 }));
  const answer = await new Promise<number>((resolve) => {
    http.get(url, { headers: { Connection: "Upgrade", Upgrade: "websocket" } }, (res) => {
      res.resume();
      resolve(res.statusCode!);
    });
  });
  assert.equal(answer, 426);
});

test("a fetch handler that is taken for one of node:http is told what to write", async (t) => {
  const printed: string[] = [];
  t.mock.method(console, "error", (error: Error) => printed.push(error.message));
  const handlers = [
    (_request: unknown, _env: unknown, _context: unknown) => new Response("lost"),
    async () => new Response("lost"),
    async (_req: unknown, res: http.ServerResponse) => void res.end("fine"),
  ];
  const answers = [];
  for (const handler of handlers) {
    const server = http.createServer(refusingResponses(handler as unknown as http.RequestListener));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    answers.push(await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)).text());
    server.closeAllConnections();
    server.close();
  }
  assert.deepEqual(answers, ["Internal Server Error", "Internal Server Error", "fine"]);
  assert.equal(printed.length, 2);
  assert.match(
    printed[0]!,
    /a function with 3 parameters, .* returned a Response: write serve\(\{ fetch: handler \}\)/,
  );
});
