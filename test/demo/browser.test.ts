/** The demo shop in a real browser: a whole purchase by its links and buttons, on a desktop and on a phone. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { BrowserPage, chromiumPath } from "../harness/browser.ts";
import { startShop } from "./shop-server.ts";

const shop = await startShop();
after(() => shop.stop());
const skip = chromiumPath === undefined ? "chromium is not installed" : false;

for (const [device, width, height] of [
  ["desktop", 1280, 800],
  ["phone", 360, 740],
] as const) {
  test(`a purchase on a ${device}`, { skip }, async (context) => {
    const page = await BrowserPage.open(context);
    await page.resize(width, height);
    const fits = async (): Promise<void> => {
      const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
      assert.ok(wide <= width, `the page is ${wide} wide`);
    };
    const text = (selector: string): Promise<string> =>
      page.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`);

    await page.goto(`${shop.origin}/`);
    await fits();
    assert.notEqual(
      await page.evaluate("getComputedStyle(document.querySelector('.top')).backgroundColor"),
      "rgba(0, 0, 0, 0)",
      "the style sheet is there",
    );

    await page.follow(".card h2 a");
    await fits();
    await page.follow("a[href$='/stock']");
    assert.match(await text("main"), /The warehouse has 7 pieces/);
    await page.follow("main a.button");
    await page.fill("input[name=quantity]", "3");
    await page.follow("main button");
    assert.equal(await text("h1"), "Your cart");
    assert.equal(await text(".badge"), "3");
    await fits();

    await page.fill("input[name=quantity]", "2");
    await page.follow(".quiet");
    assert.equal(await text("[data-total]"), "€98.00");

    await page.follow("a[href='/login']");
    await page.fill("#name", "<b>Ann</b>");
    await page.follow("main button");
    assert.equal(await text(".who"), "Ahoy, <b>Ann</b>");

    await page.follow("a[href='/cart']");
    await page.follow("a[href='/checkout']");
    await fits();
    assert.equal(await page.evaluate("document.querySelector('#name').value"), "<b>Ann</b>");
    await page.fill("#address", "Pier 7");
    await page.follow("main button");
    assert.equal(await text("h1"), "Thank you, <b>Ann</b>");
    assert.equal(await text(".badge"), "0");
    assert.deepEqual(page.complaints, []);
  });
}

test("every field and button has a name, every page one heading and a language", {
  skip,
}, async (context) => {
  const page = await BrowserPage.open(context);
  for (const path of ["/", "/products/bell", "/cart", "/login", "/nowhere"]) {
    await page.goto(shop.origin + path);
    const nameless = await page.evaluate(`
      [...document.querySelectorAll("input:not([type=hidden]), textarea, button, a")]
        .filter((element) => element.getAttribute("aria-hidden") !== "true")
        .filter((element) => !(element.getAttribute("aria-label") || element.innerText || element.labels?.length))
        .map((element) => element.outerHTML)`);
    assert.deepEqual(nameless, [], path);
    assert.equal(await page.evaluate("document.querySelectorAll('h1').length"), 1, path);
    assert.equal(await page.evaluate("document.documentElement.lang"), "en");
  }
});
