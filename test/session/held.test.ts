/** With a store that takes its time: what is held until the commit, what is refused, and what is said. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { FlotillaError } from "../../src/support/errors.ts";
import type { Handler } from "../harness/session-site.ts";
import { setUpSlow } from "../harness/slow-store.ts";

/** Whether it is still open after the server and the client had several turns to do what they can. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  const over = (): void => {
    done = true;
  };
  promise.then(over, over);
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  return !done;
}

/** What is thrown next, to nobody; not the runner's business until the test is over. */
function uncaught(t: TestContext): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException").once("uncaughtException", resolve);
  t.after(() => {
    for (const listener of listeners) process.on("uncaughtException", listener);
  });
  return promise;
}

/** What middleware knows of Node's ServerResponse. */
interface NodeHead {
  readonly _header: string | null;
  _implicitHeader(): void;
}

const lost = new FlotillaError("FLOTILLA_TEST", "the backup refused");

describe("a response whose session is not committed yet", () => {
  test("keeps its head: a redirect is not followed too early", async () => {
    const { site, store, browser } = await setUpSlow({
      "/login": (req, res) => {
        req.session.user = "anna";
        res.writeHead(302, { Location: "/look" });
        res.end();
        assert.equal(res.headersSent, true);
      },
    });
    await using _site = site;
    const answer = browser.get("/login");
    await store.arrival();
    assert.ok(await isPending(answer));
    store.answer();
    const { status, headers, cookies } = await answer;
    assert.deepEqual([status, headers.location, cookies.length], [302, "/look", 1]);
    assert.equal(await browser.read("/look"), '{"user":"anna"}');
  });

  test("is written in order afterwards, and says when it can take more", async () => {
    const { site, store, browser } = await setUpSlow({
      "/stream": (req, res) => {
        req.session.a = 1;
        assert.equal(res.write("one,"), false);
        res.flushHeaders();
        res.once("drain", () => {
          res.write("two,");
          res.end("three");
        });
      },
    });
    await using _site = site;
    const answer = browser.get("/stream");
    await store.arrival();
    assert.ok(await isPending(answer));
    store.answer();
    assert.equal((await answer).body, "one,two,three");
  });

  test("has one head, also for who asks for it with every write because it is not out", async () => {
    const { site, store, browser } = await setUpSlow({
      "/compressed": (req, res) => {
        req.session.a = 1;
        const { write } = res;
        res.write = function (this: typeof res, ...args: unknown[]) {
          const { _header, _implicitHeader } = this as unknown as NodeHead;
          if (!_header) _implicitHeader.call(this);
          return Reflect.apply(write, this, args) as boolean;
        } as typeof write;
        res.flushHeaders();
        res.write("one,");
        res.write("two,");
        res.end("three");
      },
    });
    await using _site = site;
    const answer = browser.get("/compressed");
    await store.arrival();
    store.answer();
    assert.equal((await answer).body, "one,two,three");
  });

  test("keeps its last byte when the session changed after the head", async () => {
    const { site, store, browser } = await setUpSlow({
      "/late": (req, res) => {
        store.isSlow = false;
        req.session.a = 1;
        res.write("one,");
        store.isSlow = true;
        req.session.b = 2;
        res.end("two");
      },
    });
    await using _site = site;
    const answer = browser.get("/late");
    await store.arrival();
    assert.ok(await isPending(answer));
    store.answer();
    assert.equal((await answer).body, "one,two");
    assert.equal(await browser.read("/look"), '{"a":1,"b":2}');
  });

  test("waits for a destroy as well", async () => {
    const { site, store, browser } = await setUpSlow({
      "/login": (req, res) => {
        req.session.user = "anna";
        res.end();
      },
      "/logout": (req, res) => {
        req.session.destroy();
        res.end("out");
      },
    });
    await using _site = site;
    store.isSlow = false;
    await browser.get("/login");
    store.isSlow = true;
    const answer = browser.get("/logout");
    await store.arrival();
    assert.ok(await isPending(answer));
    store.answer();
    assert.equal((await answer).body, "out");
  });

  test("a failed destroy, regenerate or save is told to the application with the status 503", async () => {
    const told: (number | undefined)[] = [];
    const tell = (res: { end(): void }) => (error?: unknown) => {
      told.push((error as { status?: number } | null)?.status);
      res.end();
    };
    const { site, store, browser } = await setUpSlow({
      "/login": (req, res) => {
        req.session.user = "anna";
        res.end();
      },
      "/save": (req, res) => {
        req.session.user = "bob";
        req.session.save(tell(res));
      },
      "/regenerate": (req, res) => void req.session.regenerate(tell(res)),
      "/logout": (req, res) => void req.session.destroy(tell(res)),
    });
    await using _site = site;
    for (const path of ["/save", "/regenerate", "/logout"]) {
      store.isSlow = false;
      await browser.get("/login");
      store.isSlow = true;
      const answer = browser.get(path);
      await store.arrival();
      // What is tried again at the end is done.
      store.isSlow = false;
      store.answer(new FlotillaError("FLOTILLA_TEST", "no server answered"));
      await answer;
    }
    assert.deepEqual(told, [503, 503, 503]);
  });

  test("is not held when nothing changed", async () => {
    const { site, browser } = await setUpSlow({});
    await using _site = site;
    assert.equal(await browser.read("/look"), "{}");
  });

  test("becomes a 503 when the commit fails, without anything of what was meant", async () => {
    const { site, store, browser } = await setUpSlow({
      "/pay": (req, res) => {
        req.session.paid = true;
        res.writeHead(302, { Location: "/thanks", "X-Secret": "1" });
        res.write("x".repeat(100_000));
        res.end("thanks");
      },
    });
    await using _site = site;
    const answer = browser.get("/pay");
    await store.arrival();
    store.answer(lost);
    const { status, headers, body, cookies } = await answer;
    assert.equal(status, 503);
    assert.deepEqual([headers.location, headers["x-secret"], cookies.length], [undefined, undefined, 0]);
    assert.equal(body, "503 Service Unavailable: the session could not be saved (FLOTILLA_TEST).\n");
  });

  test("becomes a 503 when the store refuses the change at once", async () => {
    const { site, store, browser } = await setUpSlow({
      "/set": (req, res) => {
        req.session.user = req.url;
        res.end("done");
      },
      "/late": (req, res) => {
        res.write("one,");
        req.session.late = true;
        res.end("two");
      },
      "/known": async (req, res) => {
        req.session.b = 1;
        await assert.rejects(req.session.save(), { code: "FLOTILLA_TEST" });
        delete req.session.b;
        res.end("the application knows");
      },
    });
    await using _site = site;
    store.isSlow = false;
    store.refusal = lost;
    const refused = await browser.get("/set");
    assert.deepEqual([refused.status, refused.cookies.length], [503, 0]);
    store.refusal = null;
    assert.equal(await browser.read("/set?1"), "done");
    store.refusal = lost;
    assert.equal((await browser.get("/set?2")).status, 503);
    await assert.rejects(browser.get("/late"), /aborted|socket hang up|ECONNRESET/);
    assert.equal(await browser.read("/known"), "the application knows");
  });

  test("becomes a 503 after two seconds of silence; the late answer changes nothing", async () => {
    const { site, store, browser } = await setUpSlow({
      "/slow": (req, res) => {
        req.session.a = 1;
        res.end("meant");
      },
    });
    await using _site = site;
    const { status, body } = await browser.get("/slow");
    assert.equal(status, 503);
    assert.match(body, /FLOTILLA_SESSION_COMMIT_TIMEOUT/);
    store.answer();
  });

  test("is cut off when its late changes fail: the missing end says so", async () => {
    const { site, store, browser } = await setUpSlow({
      "/late": (req, res) => {
        res.write("one,");
        req.session.b = 2;
        res.end("two");
      },
    });
    await using _site = site;
    const answer = browser.get("/late");
    await store.arrival();
    store.answer(lost);
    await assert.rejects(answer, { code: "ECONNRESET" });
  });

  test("a listener that throws when it can go on does not throw at the store", async (t) => {
    const { site, store, browser } = await setUpSlow({
      "/stream": (req, res) => {
        req.session.a = 1;
        res.write("one,");
        res.once("drain", () => {
          res.end("two");
          throw new Error("of the application");
        });
      },
    });
    await using _site = site;
    const thrown = uncaught(t);
    const answer = browser.get("/stream");
    await store.arrival();
    store.answer();
    assert.match(String(await thrown), /of the application/);
    assert.equal((await answer).body, "one,two");
  });

  test("a handler that throws after its session was loaded does not throw at the store", async (t) => {
    const { site, store, browser } = await setUpSlow({});
    await using _site = site;
    store.isSlow = false;
    await browser.read("/look");
    const thrown = uncaught(t);
    store.isLoadingSlow = true;
    const id = store.newId().text;
    site.middleware({ url: "/", headers: { cookie: `sid=${id}` } }, {}, () => {
      throw new Error("of the application");
    });
    assert.deepEqual(await store.answerLoads(), []);
    assert.match(String(await thrown), /of the application/);
  });
});

describe("a session that can't be loaded", () => {
  const start: Handler = (req, res) => {
    req.session.a = 1;
    res.end();
  };

  test("is a 503 that says when to come back, also where errors become 500; one line in the log", async () => {
    const { site, store, browser, errors } = await setUpSlow({ "/": start });
    await using _site = site;
    store.isSlow = false;
    await browser.read("/");
    store.isAway = true;
    const { status, headers, body } = await browser.get("/look");
    assert.deepEqual([status, headers["retry-after"], headers["cache-control"]], [503, "1", "no-store"]);
    assert.match(body, /^503 Service Unavailable: .*FLOTILLA_TEST/);
    await browser.get("/look");
    assert.deepEqual(errors, ["a request was answered 503, for want of the session: no server answered"]);
    store.isAway = false;
    assert.equal(await browser.read("/look"), '{"a":1}');
  });

  test("is an error for the application where no response can be written", async () => {
    const { site, store, browser } = await setUpSlow({ "/": start });
    await using _site = site;
    store.isSlow = false;
    await browser.read("/");
    store.isAway = true;
    const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join();
    const told = await new Promise((resolve) =>
      site.middleware({ url: "/", headers: { cookie } }, {}, resolve),
    );
    assert.equal((told as { status?: number }).status, 503);
  });
});

describe("a session that could not be ended", () => {
  test("is not created anew by what is changed afterwards", async () => {
    const { site, store, browser } = await setUpSlow({
      "/": (req, res) => {
        req.session.cart = ["pen"];
        res.end();
      },
      "/login": async (req, res) => {
        const ended = req.session.regenerate();
        await store.arrival();
        store.answer(lost);
        await assert.rejects(ended, { code: "FLOTILLA_TEST" });
        store.isSlow = false;
        req.session.error = "try again";
        res.end();
      },
    });
    await using _site = site;
    store.isSlow = false;
    await browser.get("/");
    store.isSlow = true;
    await browser.get("/login");
    assert.equal(await browser.read("/look"), "{}", "it was ended after all");
  });
});

describe("saving by hand", () => {
  test("resolves when committed, rejects when not, and tries again at the end", async () => {
    const log: string[] = [];
    const { site, store, browser } = await setUpSlow({
      "/save": async (req, res) => {
        req.session.a = 1;
        const first = req.session.save();
        assert.ok(await isPending(first));
        store.answer(lost);
        await assert.rejects(first, { code: "FLOTILLA_TEST" });
        log.push("failed");
        store.isSlow = false;
        await req.session.save();
        log.push("saved");
        res.end();
      },
    });
    await using _site = site;
    await browser.get("/save");
    assert.deepEqual(log, ["failed", "saved"]);
  });

  test("a rejection that nobody awaits ends nothing", async () => {
    const { site, browser } = await setUpSlow({
      "/careless": (req, res) => {
        req.session.a = () => {};
        req.session.save();
        delete req.session.a;
        res.end("ok");
      },
    });
    await using _site = site;
    assert.equal(await browser.read("/careless"), "ok");
  });
});
