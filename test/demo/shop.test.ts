/** The demo shop over plain HTTP: what it sells, what its cart counts, and that nothing typed in becomes markup. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { shopFolder, startShop } from "./shop-server.ts";

interface CartModule {
  added(cart: object | undefined, id: string, quantity: number): object;
  withQuantity(cart: object | undefined, id: string, quantity: number): object;
  countOf(cart: object | undefined): number;
  totalOf(cart: object | undefined): number;
  quantityFrom(text: unknown): number | null;
}
const cart = (await import(new URL("cart.js", shopFolder).href)) as CartModule;

const server = await startShop();
const { origin } = server;
after(() => server.stop());

test("every product of the shop window has a page of its own", async () => {
  const { text } = await new Browser().get("/");
  const addresses = [...text.matchAll(/href="(\/products\/[a-z]+)"/g)].map((match) => match[1]!);
  assert.ok(new Set(addresses).size >= 6);
  for (const address of new Set(addresses)) {
    const page = await new Browser().get(address);
    assert.equal(page.status, 200);
    assert.match(page.text, /<form class="row" method="post" action="\/cart\/add">/);
  }
});

test("a change of the cart is a POST answered by a redirect, and the cart page shows the sum", async () => {
  const browser = new Browser();
  const added = await browser.post("/cart/add", { product: "bell", quantity: "2" });
  assert.equal(added.status, 303);
  assert.equal(added.headers.get("location"), "/cart");
  await browser.post("/cart/add", { product: "mug" });
  assert.match((await browser.get("/cart")).text, /data-total="19050"/);
  await browser.post("/cart/update", { product: "bell", quantity: "1" });
  await browser.post("/cart/remove", { product: "mug" });
  const { text } = await browser.get("/cart");
  assert.match(text, /data-total="8900"/);
  assert.match(text, /data-count="1"/);
});

test("each visitor has a cart of their own", async () => {
  const one = new Browser();
  await one.post("/cart/add", { product: "bell" });
  assert.match((await one.get("/cart")).text, /data-count="1"/);
  assert.match((await new Browser().get("/cart")).text, /data-count="0"/);
});

test("what a form should never send is refused and changes nothing", async () => {
  const browser = new Browser();
  for (const form of [
    { product: "no-such-thing" },
    { product: "__proto__" },
    { product: "bell", quantity: "0" },
    { product: "bell", quantity: "-1" },
    { product: "bell", quantity: "1e9" },
    { product: "bell", quantity: "100" },
  ]) {
    assert.equal((await browser.post("/cart/add", form)).status, 400, JSON.stringify(form));
  }
  assert.match((await browser.get("/cart")).text, /data-count="0"/);
});

test("a form on another site cannot fill the cart", async () => {
  const browser = new Browser();
  const answer = await browser.post("/cart/add", { product: "bell" }, { "sec-fetch-site": "cross-site" });
  assert.equal(answer.status, 403);
  assert.match((await browser.get("/cart")).text, /data-count="0"/);
});

test("a name is shown as text, never as markup, and the cart comes along at login", async () => {
  const browser = new Browser();
  await browser.post("/cart/add", { product: "rope" });
  const name = `<script>alert("x")</script> & 'Ann'`;
  assert.equal((await browser.post("/login", { name })).status, 303);
  const { text } = await browser.get("/checkout");
  assert.ok(!text.includes("<script"));
  assert.match(text, /&lt;script&gt;alert\(&quot;x&quot;\)&lt;\/script&gt; &amp; &#39;Ann&#39;/);
  assert.match(text, /data-count="1"/);
});

test("an order empties the cart and thanks by name; without an address it is asked for again", async () => {
  const browser = new Browser();
  await browser.post("/cart/add", { product: "anchor", quantity: "3" });
  const incomplete = await browser.post("/checkout", { name: "Ann", address: " " });
  assert.equal(incomplete.status, 400);
  assert.match(incomplete.text, /Please fill in/);
  assert.equal((await browser.post("/checkout", { name: "Ann", address: "Pier <1>" })).status, 303);
  const { text } = await browser.get("/thanks");
  assert.match(text, /Thank you, Ann/);
  assert.match(text, /3 pieces for €201.00/);
  assert.match(text, /Pier &lt;1&gt;/);
  assert.match(text, /data-count="0"/);
});

test("an unknown page is a 404 with a way back, and says who served it", async () => {
  const answer = await new Browser().get("/nowhere");
  assert.equal(answer.status, 404);
  assert.match(answer.text, /href="\/"/);
  assert.match(answer.headers.get("x-served-by") ?? "", new RegExp(`/${process.pid}$`));
});

test("cart arithmetic", () => {
  let contents = cart.added(undefined, "bell", 2);
  contents = cart.added(contents, "bell", 98);
  assert.deepEqual(contents, { bell: 99 });
  contents = cart.withQuantity(contents, "mug", 3);
  assert.equal(cart.countOf(contents), 102);
  assert.equal(cart.totalOf(contents), 99 * 8900 + 3 * 1250);
  assert.deepEqual(cart.withQuantity(contents, "bell", 0), { mug: 3 });
  assert.equal(cart.countOf({ sold: 4 }), 0);
  assert.equal(cart.countOf(undefined), 0);
  for (const text of ["", "x", "1.5", " 1", "100", undefined, ["1"]])
    assert.equal(cart.quantityFrom(text), null);
  assert.equal(cart.quantityFrom("07"), 7);
});

/** A visitor: one cookie, no redirects followed. */
class Browser {
  #cookie = "";

  get(path: string): Promise<Answer> {
    return this.#send(path, {});
  }

  post(path: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#send(path, { method: "POST", headers, body: new URLSearchParams(form) });
  }

  async #send(path: string, init: RequestInit): Promise<Answer> {
    const headers = { ...(init.headers as Record<string, string>), cookie: this.#cookie };
    const answer = await fetch(origin + path, { ...init, headers, redirect: "manual" });
    const given = answer.headers.getSetCookie().at(-1);
    if (given !== undefined) this.#cookie = given.split(";")[0]!;
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  }
}

interface Answer {
  status: number;
  headers: Headers;
  text: string;
}
