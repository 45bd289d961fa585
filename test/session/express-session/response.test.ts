/** What responses are made of while a session is saved, and what becomes of errors of the store: as express-session does it. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { Faults, habitRoutes, type Options, subjects } from "../../harness/session-makers.ts";
import {
  type Answer,
  type AnyMiddleware,
  Browser,
  type Handler,
  SessionSite,
} from "../../harness/session-site.ts";

const endings: Record<string, Handler> = {
  "nothing at all": (_req, res) => res.end(),
  null: (_req, res) => res.end(null),
  "a Content-Length of 0": (_req, res) => {
    res.setHeader("Content-Length", "0");
    res.end();
  },
  "one text": (_req, res) => res.end("hello"),
  "one text and its length": (_req, res) => {
    res.setHeader("Content-Length", "5");
    res.end("hello");
  },
  "a Buffer": (_req, res) => res.end(Buffer.from("hello")),
  "a text in hexadecimal": (_req, res) => res.end("68656c6c6f", "hex"),
  "several writes": (_req, res) => {
    res.write("hel");
    res.write("lo");
    res.end();
  },
  "several writes and their length": (_req, res) => {
    res.setHeader("Content-Length", "5");
    res.write("hel");
    res.end("lo");
  },
  "a head and then more": (_req, res) => {
    res.writeHead(200, { "X-Own": "yes" });
    res.end("hello");
  },
  "two ends": (_req, res) => {
    res.end("hello");
    res.end();
  },
};

/** An error of the middleware that comes when the response has begun. */
interface Late {
  readonly answer: Answer;
  readonly late: unknown[];
}

/** Ours has words for visitors, and what the store said as its cause. */
function reasonOf({ message, cause }: Error): string {
  return cause instanceof Error ? cause.message : message;
}

for (const subject of subjects) {
  describe(`${subject.name}: when a response has ended its session is saved`, () => {
    for (const [what, end] of Object.entries(endings))
      test(`of ${what}`, async () => {
        const routes: Record<string, Handler> = {
          ...habitRoutes,
          "/end": (req, res) => {
            req.session.hit = true;
            return end(req, res);
          },
          "/plain": end,
        };
        await using shop = await SessionSite.start(subject.make(), routes);
        await using plain = await SessionSite.start((_req, _res, next) => next(), routes);
        const browser = shop.browser();
        const answer = await browser.get("/end");
        const expected = await plain.browser().get("/plain");
        assert.deepEqual([answer.status, answer.body], [expected.status, expected.body]);
        assert.equal(await browser.read("/look"), '{"hit":true}');
      });

    test("also where write and end were changed before the middleware, or after it", async () => {
      const changed = (res: Parameters<Handler>[1]): void => {
        const { write, end } = res;
        res.write = ((...args: never[]) =>
          (write as (...args: never[]) => boolean).apply(res, args)) as typeof write;
        res.end = ((...args: never[]) =>
          (end as (...args: never[]) => unknown).apply(res, args)) as typeof end;
      };
      const middleware = subject.make();
      const before: AnyMiddleware = (req, res, next) => {
        changed(res);
        middleware(req, res, next);
      };
      for (const way of [before, middleware]) {
        await using shop = await SessionSite.start(way, {
          ...habitRoutes,
          "/hello": (req, res) => {
            if (way === middleware) changed(res);
            req.session.hit = true;
            res.write("hello, ");
            res.end("world");
          },
        });
        const browser = shop.browser();
        assert.equal(await browser.read("/hello"), "hello, world");
        assert.equal(await browser.read("/look"), '{"hit":true}');
      }
    });
  });

  describe(`${subject.name}: errors of the store`, () => {
    /** Answers as SessionSite does, and keeps the errors that come too late for that. */
    async function ask(
      options: Options,
      handler: Handler,
      { before = "/count", fault }: { before?: string | null; fault: (faults: Faults) => void },
    ): Promise<Late> {
      const faults = new Faults();
      const middleware = subject.make(options, faults);
      const late: unknown[] = [];
      const server = createServer((req, res) =>
        middleware(req, res, (error) => {
          if (error && res.headersSent) return void late.push(error);
          if (error) {
            res.statusCode = (error as { status?: number }).status ?? 500;
            return void res.end(String(error));
          }
          const route = habitRoutes[req.url!] ?? handler;
          route(req as never, res);
        }),
      );
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const browser = new Browser((server.address() as AddressInfo).port);
        if (before !== null) await browser.get(before);
        fault(faults);
        const answer = await browser.get("/ask");
        // express-session tells of it in the turn after the one that ended the response.
        await new Promise((resolve) => setImmediate(resolve));
        return { answer, late };
      } finally {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    }

    test("while loading", async () => {
      const fault = (faults: Faults): void => {
        faults.load = true;
      };
      const { answer } = await ask({}, () => assert.fail("never called"), { fault });
      if (subject.differs("loadErrors")) {
        assert.deepEqual([answer.status, answer.headers["retry-after"]], [503, "1"]);
        assert.match(answer.body, /the session can't be reached now/);
      } else assert.deepEqual([answer.status, answer.body], [500, "Error: boom"]);
      const visitor = await ask({}, (_req, res) => res.end("hello"), { before: null, fault });
      assert.equal(visitor.answer.body, "hello", "who has no session is served");
    });

    test("while saving, and while destroying what was unset", async () => {
      const handlers: [Options, Handler][] = [
        [
          {},
          (req, res) => {
            req.session.hit = true;
            res.end("saved?");
          },
        ],
        [
          { unset: "destroy" },
          (req, res) => {
            req.session = null;
            res.end("saved?");
          },
        ],
      ];
      for (const [options, handler] of handlers) {
        const fault = (faults: Faults): void => {
          faults.save = faults.destroy = true;
        };
        const { answer, late } = await ask(options, handler, { fault });
        if (subject.differs("saveErrors")) {
          assert.deepEqual([answer.status, late], [503, []]);
          assert.doesNotMatch(answer.body, /saved\?/);
        } else assert.deepEqual([answer.status, answer.body, String(late)], [200, "saved?", "Error: boom"]);
      }
    });

    for (const method of ["save", "destroy", "reload"])
      test(`of ${method}() go to its callback`, async () => {
        let faults = new Faults();
        let told: unknown = null;
        const handler: Handler = (req, res) => {
          req.session.hit = true;
          faults.save = faults.destroy = faults.load = true;
          req.session[method]((error: Error) => {
            told = reasonOf(error);
            faults.save = faults.destroy = faults.load = false;
            res.end();
          });
        };
        const fault = (own: Faults): void => {
          faults = own;
        };
        await ask({}, handler, { fault });
        assert.equal(told, "boom");
      });

    test("of regenerate too", async () => {
      const seen: unknown[] = [];
      const handler: Handler = (req, res) => {
        const before = req.sessionID;
        req.session.regenerate((error: Error) => {
          seen.push(reasonOf(error), req.sessionID === before);
          res.end();
        });
      };
      await ask({}, handler, {
        fault: (faults) => {
          faults.destroy = true;
        },
      });
      assert.deepEqual(seen, ["boom", subject.differs("regenerateErrors")]);
    });
  });
}
