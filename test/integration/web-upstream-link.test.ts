/** R14 on the link: one silent answer is given up, and the link with all its other answers stays. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { Gate } from "../harness/gate.ts";
import { linkApp } from "../harness/link-app.ts";
import { RawClient } from "../harness/raw.ts";
import { webSite } from "../harness/web-site.ts";

test("R14 an answer on the link that stops is given up; who thinks before it, and an event stream, are not", async (t) => {
  const told = new Gate();
  const answers: Record<string, ServerResponse> = {};
  const app = await linkApp(t, "app-a", (request, response) => {
    answers[request.url!] = response;
    if (request.url === "/stops") {
      response.on("close", told.open);
      response.write("begun");
    } else if (request.url === "/events") {
      response.setHeader("content-type", "text/event-stream");
      response.write("data: 1\n\n");
    }
  });
  const web = await webSite(t, [app.port], { link: true, timeouts: { socketTimeoutMs: 200 } });
  const ask = async (path: string): Promise<RawClient> => {
    const client = await RawClient.open(web.port);
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    return client;
  };
  const thinks = await ask("/thinks");
  const events = await ask("/events");
  await events.read(/data: 1\n\n/);
  const stops = await ask("/stops");
  const got = await stops.read();
  assert.match(got, /begun/);
  assert.doesNotMatch(got, /\r\n0\r\n/);
  await told.pass();
  assert.match(web.warnings.join("\n"), /app-a failed during GET \/stops: no answer in time/);
  answers["/thinks"]!.end("thought");
  assert.equal((await thinks.answer()).body, "thought");
  answers["/events"]!.end("data: 2\n\n");
  assert.match(await events.read(/\r\n0\r\n\r\n/), /data: 2\n\n/);
});
