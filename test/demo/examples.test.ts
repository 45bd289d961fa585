/** Each of examples/ by itself, as `npm start` runs it: its cart over HTTP. In a cluster they are under the drill of `.ci/run`. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type DemoApp, exampleApps, installApp } from "../../src/demo/demo-apps.ts";
import { freePorts } from "../harness/free-ports.ts";
import { start, temporaryFolder, until } from "../harness/process.ts";

interface Shown {
  readonly user: string | null;
  readonly cart: Readonly<Record<string, number>>;
  readonly servedBy: string;
  readonly visits?: number;
}

const nothing = { user: null, cart: {} };

for (const app of exampleApps.values())
  test(`${app.name}: visits, a cart from several tabs, sign-in under another id, sign-out`, async (t) => {
    const visitor = await open(t, app);
    await countsVisits(visitor);
    assert.deepEqual(await visitor.look(), nothing);
    assert.equal((await visitor.post("/cart", { product: "no-such-thing" })).status, 400);
    assert.equal((await visitor.post("/cart", { product: "bell", quantity: -1 })).status, 400);

    const tabs = Array.from({ length: 20 }, () => visitor.post("/cart", { product: "bell", quantity: 2 }));
    for (const { status } of await Promise.all(tabs)) assert.equal(status, 200);
    assert.deepEqual(await visitor.look(), { user: null, cart: { bell: 40 } });

    const before = visitor.cookie;
    assert.equal((await visitor.post("/sign-in", { name: "ann" })).status, 200);
    assert.notEqual(visitor.cookie, before);
    assert.deepEqual(await visitor.look(), { user: "ann", cart: { bell: 40 } });
    assert.deepEqual(await new Visitor(visitor.origin, before).look(), nothing);

    assert.deepEqual(await (await visitor.post("/order", {})).json(), { ordered: { bell: 40 } });
    assert.deepEqual(await visitor.look(), { user: "ann", cart: {} });
    assert.equal((await visitor.post("/sign-out", {})).status, 200);
    assert.deepEqual(await visitor.look(), nothing);
    if (app.name === "nest") await isGuarded(visitor);
    if (app.name === "next") await hasAction(visitor);
  });

test("their files differ in what they run, and in nothing else", () => {
  const texts = [...exampleApps.values()].map(({ folder }) => {
    return readFileSync(join(folder, "flotilla.yaml"), "utf8").replace(/^ {4}run: .*$/m, "");
  });
  assert.equal(new Set(texts).size, 1);
});

async function countsVisits(visitor: Visitor): Promise<void> {
  for (const visits of [1, 2, 3]) {
    const answer = await visitor.get("/");
    assert.equal(answer.status, 200);
    assert.match(await answer.text(), new RegExp(`visits"?: ?${visits}\\b`, "i"));
  }
}

async function isGuarded(visitor: Visitor): Promise<void> {
  assert.equal((await visitor.get("/account")).status, 403);
  await visitor.post("/sign-in", { name: "ann" });
  assert.deepEqual(await (await visitor.get("/account")).json(), { user: "ann" });
}

/** The page's form as a browser without JavaScript sends it. */
async function hasAction(visitor: Visitor): Promise<void> {
  const page = await (await visitor.get("/")).text();
  const form = new FormData();
  form.set(/name="(\$ACTION_ID_[0-9a-f]+)"/.exec(page)![1]!, "");
  form.set("product", "mug");
  const answer = await visitor.send("/", { method: "POST", body: form });
  assert.equal(answer.status, 303);
  assert.match(await (await visitor.get("/")).text(), /1 mug/);
}

async function open(t: TestContext, app: DemoApp): Promise<Visitor> {
  const folder = temporaryFolder(t);
  await installApp(app, folder);
  const { scripts } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    scripts: { start: string };
  };
  const [port] = await freePorts(1);
  const env = { PORT: String(port), NEXT_TELEMETRY_DISABLED: "1" };
  const running = start(t, "sh", ["-c", scripts.start], { cwd: folder, env });
  const visitor = new Visitor(`http://127.0.0.1:${port}`);
  await until("the example answers", async () => {
    const answer = await new Visitor(visitor.origin).get("/cart").catch(() => null);
    return answer?.status === 200;
  }).catch((error: Error) => assert.fail(`${error.message}\n${running.output}`));
  return visitor;
}

/** One cookie, no redirects followed. */
class Visitor {
  readonly origin: string;
  cookie: string;

  constructor(origin: string, cookie = "") {
    this.origin = origin;
    this.cookie = cookie;
  }

  /** Without who served it. */
  async look(): Promise<Pick<Shown, "user" | "cart">> {
    const answer = await this.get("/cart");
    assert.equal(answer.status, 200);
    const { user, cart } = (await answer.json()) as Shown;
    return { user, cart };
  }

  get(path: string): Promise<Response> {
    return this.send(path, {});
  }

  post(path: string, body: object): Promise<Response> {
    const headers = { "content-type": "application/json" };
    return this.send(path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  async send(path: string, init: RequestInit): Promise<Response> {
    const headers = { ...(init.headers as Record<string, string>), cookie: this.cookie };
    const answer = await fetch(this.origin + path, { ...init, headers, redirect: "manual" });
    const given = answer.headers.getSetCookie().at(-1);
    if (given !== undefined) this.cookie = given.split(";")[0]!;
    return answer;
  }
}
