/** express-session on three real app servers: whichever a request reaches has the session, also after a death. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { CartSite } from "../harness/cart-site.ts";
import { until } from "../harness/process.ts";

class Visitor {
  readonly #origin: string;
  #cookie = "";
  readonly served: Set<string> = new Set();

  constructor(site: CartSite) {
    this.#origin = `http://127.0.0.1:${site.httpPort}`;
  }

  async ask(method: string, path: string): Promise<{ status: number; body: string }> {
    const response = await fetch(this.#origin + path, { method, headers: { cookie: this.#cookie } });
    const given = response.headers.getSetCookie()[0];
    if (given !== undefined) this.#cookie = given.split(";")[0]!;
    this.served.add(response.headers.get("x-served-by") ?? "none");
    return { status: response.status, body: await response.text() };
  }

  async keys(): Promise<string[]> {
    const { status, body } = await this.ask("GET", "/");
    assert.equal(status, 200, body);
    return Object.keys(JSON.parse(body)).toSorted();
  }
}

const keys = Array.from({ length: 20 }, (_, index) => `k${index}`).toSorted();

test("express-session in a cluster: any server answers, no change is lost, and a server may die", async (t) => {
  const app = join(import.meta.dirname, "fixtures", "foreign-cart.ts");
  const site = await CartSite.make(t, { apps: 3, run: `exec node ${app}` });
  await site.start();

  const visitors = Array.from({ length: 6 }, () => new Visitor(site));
  for (const visitor of visitors) {
    await visitor.ask("POST", "/set/first");
    // At the same time, on all servers; express-session alone would keep those of the one that ends last.
    await Promise.all(keys.map((key) => visitor.ask("POST", `/set/${key}`)));
    assert.deepEqual(await visitor.keys(), ["first", ...keys].toSorted());
  }
  for (const { served } of visitors) assert.ok(served.size > 1, "one server has answered a visitor always");
  assert.equal(new Set(visitors.flatMap(({ served }) => [...served])).size, 3);

  assert.equal((await visitors[0]!.ask("GET", "/length")).body, "FLOTILLA_SESSION_STORE_PART");

  const leaving = visitors.pop()!;
  await leaving.ask("POST", "/logout");
  const victim = (await site.servers()).find(({ name }) => name === "app-a")!;
  process.kill(victim.pid!, "SIGKILL");
  await until("all visitors have their sessions", async () => {
    const answers = await Promise.all(visitors.map((visitor) => visitor.ask("GET", "/")));
    return answers.every(({ status }) => status === 200);
  });
  for (const visitor of visitors) assert.deepEqual(await visitor.keys(), ["first", ...keys].toSorted());
  assert.deepEqual(await leaving.keys(), []);
});
