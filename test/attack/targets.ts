/**
 * What is attacked: one web tier in front of a plain HTTP origin that records every byte, another in front of an app
 * server on the link. Both tell exactly what of an attack came through.
 */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { after } from "node:test";
import { LenientReader } from "../harness/lenient-reader.ts";
import { linkApp } from "../harness/link-app.ts";
import { exchange, RawClient, RawOrigin } from "../harness/raw.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

/** A request that reached an app server. */
export interface Reached {
  readonly method: string;
  readonly target: string;
  /** "name: value", names in lower case, in their order. */
  readonly fields: readonly string[];
  body: string;
  /** The same, of what came behind the last chunk. */
  trailer: readonly string[];
  /** Its end came, too. */
  whole: boolean;
}

export interface Outcome {
  /** Everything that the client got. */
  readonly client: string;
  readonly reached: readonly Reached[];
  /** Every byte that the plain origin got; on the link there are none to be seen. */
  readonly bytes: string;
}

export class Target {
  readonly name: string;
  readonly web: WebSite;
  readonly #reached: readonly Reached[];
  readonly #bytes: () => string;

  constructor(name: string, web: WebSite, reached: readonly Reached[], bytes: () => string) {
    this.name = name;
    this.web = web;
    this.#reached = reached;
    this.#bytes = bytes;
  }

  /** Sends the bytes on a connection of their own and waits until it is closed, or `until` was seen in the answers. */
  send(bytes: string, until?: RegExp): Promise<Outcome> {
    return this.#collect(() => exchange(this.web.port, bytes, until));
  }

  /** The same in two writes: the second follows when what the first began has reached the app server. */
  async sendInTwo(first: string, second: string): Promise<Outcome> {
    const from = this.#reached.length;
    return this.#collect(async () => {
      const client = await RawClient.open(this.web.port);
      client.send(first);
      while ((this.#reached[from]?.body ?? "") === "") await new Promise((resolve) => setImmediate(resolve));
      client.send(second);
      return client.read();
    });
  }

  /** One write after the other, each a read of its own most likely; then the client ends its direction. */
  sendAndEnd(parts: readonly Buffer[]): Promise<Outcome> {
    return this.#collect(async () => {
      const client = await RawClient.open(this.web.port);
      for (const part of parts) {
        if (part.length > 0) client.send(part);
        await new Promise((resolve) => setImmediate(resolve));
      }
      client.end();
      const text = await client.read();
      client.destroy();
      return text;
    });
  }

  /** Refused with this status and nothing else, the connection closed, and no byte came through. */
  async refuses(bytes: string, status: number): Promise<void> {
    const outcome = await this.send(bytes);
    const what = `${this.name}: ${JSON.stringify(bytes.slice(0, 200))}`;
    assert.equal(outcome.client.slice(0, 13), `HTTP/1.1 ${status} `, what);
    assert.equal(answersIn(outcome.client), 1, `one answer only: ${what}`);
    assert.match(outcome.client, /\r\nConnection: close\r\n/i, what);
    assert.deepEqual([outcome.reached, outcome.bytes], [[], ""], what);
  }

  /** No route of the site is for its host. @param head without its end. */
  async refuses421(head: string): Promise<void> {
    const { client, reached, bytes } = await this.send(`${head}Connection: close\r\n\r\n`);
    assert.match(client, /^HTTP\/1\.1 421 /, head);
    assert.deepEqual([reached, bytes], [[], ""], head);
  }

  /** Answered 200; the one request that came through, whole. */
  async passes(bytes: string): Promise<Reached> {
    const { client, reached } = await this.send(bytes);
    const what = `${this.name}: ${JSON.stringify(bytes.slice(0, 200))}`;
    assert.match(client, /^(HTTP\/1\.1 100 Continue\r\n\r\n)?HTTP\/1\.1 200 OK\r\n/, what);
    assert.equal(reached.length, 1, what);
    assert.equal(reached[0]!.whole, true, what);
    return reached[0]!;
  }

  async #collect(send: () => Promise<string>): Promise<Outcome> {
    const fromRequest = this.#reached.length;
    const fromByte = this.#bytes().length;
    const client = await send();
    // Whatever was sent on before has arrived when the answer to a later request has.
    await exchange(this.web.port, "GET /marker HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const got = this.#bytes().slice(fromByte);
    const reached = this.#reached.slice(fromRequest);
    return {
      client,
      reached: reached.filter(({ target }) => target !== "/marker"),
      bytes: got.slice(0, Math.max(0, got.indexOf("GET /marker "))),
    };
  }
}

/** Heads of answers in what a client got. */
export function answersIn(text: string): number {
  return text.match(/HTTP\/1\.1 \d{3} /g)?.length ?? 0;
}

interface Scope {
  after(end: () => Promise<void> | void): void;
}

/** Both targets, for all tests of the calling file; they close behind its last test, or at the end of `scope`. */
export async function startTargets(
  options: WebSiteOptions = {},
  scope: Scope = { after },
): Promise<readonly [Target, Target]> {
  return [await plainTarget(options, scope), await linkTarget(options, scope)];
}

/** The plain origin answers every request that it finds in the bytes, as a lenient server would. */
async function plainTarget(options: WebSiteOptions, scope: Scope): Promise<Target> {
  const reached: Reached[] = [];
  const origin = await RawOrigin.start(scope, () => null);
  origin.onConnection = (connection) => {
    const reader = new LenientReader("request", ({ method }) =>
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${method === "HEAD" ? "" : "ok"}`),
    );
    connection.socket.on("data", (data) => {
      const known = reader.messages.length;
      reader.push(data);
      for (const message of reader.messages.slice(known)) {
        const { method, target } = message;
        reached.push({
          method,
          target,
          fields: lines(message.fields),
          get body() {
            return message.body;
          },
          get trailer() {
            return lines(message.trailer);
          },
          get whole() {
            return message.whole;
          },
        } as Reached);
      }
    });
  };
  const web = await webSite(scope, [origin.port], options);
  return new Target("plain HTTP", web, reached, () => origin.received);
}

async function linkTarget(options: WebSiteOptions, scope: Scope): Promise<Target> {
  const reached: Reached[] = [];
  const handler = (req: IncomingMessage, res: ServerResponse): void => {
    const request: Reached = {
      method: req.method!,
      target: req.url!,
      fields: lines(req.rawHeaders),
      body: "",
      trailer: [],
      whole: false,
    };
    reached.push(request);
    req.on("data", (bytes: Buffer) => {
      request.body += bytes.toString("latin1");
    });
    req.on("end", () => {
      request.trailer = lines(req.rawTrailers);
      request.whole = true;
      // Node leaves it out for HTTP/1.0.
      res.setHeader("Content-Length", 2);
      res.end("ok");
    });
    req.on("error", () => {});
  };
  const app = await linkApp(scope, "app-a", handler);
  const web = await webSite(scope, [app.port], { ...options, link: true });
  return new Target("link", web, reached, () => "");
}

function lines(pairs: readonly string[]): string[] {
  const all: string[] = [];
  for (let at = 0; at + 1 < pairs.length; at += 2) all.push(`${pairs[at]!.toLowerCase()}: ${pairs[at + 1]}`);
  return all;
}
