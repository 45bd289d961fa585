/** Rates, clients, templates and field rules, without a socket. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseTemplate, templateTrouble } from "../../config/template.ts";
import { CompiledFieldRules } from "./field-rules.ts";
import { clientKey, RateLimit } from "./rate-limit.ts";
import { type TemplateValues, templateText } from "./template-text.ts";

const values: TemplateValues = {
  path: "/a",
  query: "?q",
  host: "h",
  scheme: "https",
  client: "192.0.2.1",
  groups: ["", "one", "two"],
};

test("templates", () => {
  const text = (template: string): string => templateText(parseTemplate(template), values);
  assert.equal(text("/x"), "/x");
  assert.equal(text("$1-$2-$9"), "one-two-");
  assert.equal(text("$scheme://$host$path$query $client"), "https://h/a?q 192.0.2.1");
  assert.equal(text("$$1 $$"), "$1 $");
  assert.equal(text("$12"), "one2");
  for (const wrong of ["$", "a$", "$0", "$nothing", "$paths", "$PATH"])
    assert.notEqual(templateTrouble(wrong), null, wrong);
});

test("what is set replaces, what is added comes besides, what is removed is gone", () => {
  const field = (name: string, value: string) => ({ name, value: parseTemplate(value) });
  const rules = new CompiledFieldRules({
    set: [field("X-Real-IP", "$client"), field("cookie", "none")],
    add: [field("X-A", "2")],
    remove: ["authorization"],
  });
  assert.equal(
    rules.ofRequest("Host\na\nX-A\n1\nCookie\nsid=1\nAUTHORIZATION\nx\nCookie\n2", values),
    "Host\na\nX-A\n1\nX-Real-IP\n192.0.2.1\ncookie\nnone\nX-A\n2",
  );
  assert.equal(rules.ofRequest("", values), "X-Real-IP\n192.0.2.1\ncookie\nnone\nX-A\n2");
  assert.equal(
    rules.ofAnswer("X-A: 1\r\nAuthorization: x\r\nY: :\r\n", values),
    "X-A: 1\r\nY: :\r\nX-Real-IP: 192.0.2.1\r\ncookie: none\r\nX-A: 2\r\n",
  );
});

test("a client is its address, with IPv6 its /64", () => {
  const cases: readonly [string, string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::6", "2001:db8:1:2"],
    ["2001:db8::6", "2001:db8:0:0"],
    ["2001:0db8:0:0::", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
    ["::", "0:0:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["64:ff9b::192.0.2.33", "64:ff9b:0:0"],
    ["1:2:3::192.0.2.33", "1:2:3:0"],
  ];
  for (const [address, key] of cases) assert.equal(clientKey(address), key, address);
});

test("a rate lets through its burst, then one per interval, and tells how long to wait", () => {
  let now = 1_000;
  const rate = new RateLimit({ count: 10, perMs: 1_000, burst: 3 }, () => now);
  assert.deepEqual([rate.take("a"), rate.take("a"), rate.take("a")], [0, 0, 0]);
  assert.equal(rate.take("a"), 100);
  assert.equal(rate.take("b"), 0, "another client");
  now += 60;
  assert.equal(Math.round(rate.take("a")), 40, "who is refused does not wait longer for it");
  now += 40;
  assert.equal(rate.take("a"), 0);
  assert.notEqual(rate.take("a"), 0);
  now += 10_000;
  assert.deepEqual(
    [0, 1, 2].map(() => rate.take("a")),
    [0, 0, 0],
  );
  assert.notEqual(rate.take("a"), 0, "a long pause gives no more than the burst");
});

test("in any time a client gets no more than burst and rate", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 }),
      (count, burst, pauses) => {
        let now = 0;
        let taken = 0;
        const rate = new RateLimit({ count, perMs: 1_000, burst }, () => now);
        for (const pause of pauses) {
          now += pause;
          if (rate.take("a") === 0) taken++;
          assert.ok(taken <= burst + (now * count) / 1_000 + 1e-6);
        }
      },
    ),
    { seed: 418 },
  );
});

test("the clients of a rate are bounded: who was not heard the longest is forgotten", () => {
  const rate = new RateLimit({ count: 1, perMs: 1_000, burst: 1 }, () => 0, 2);
  assert.equal(rate.take("a"), 0);
  assert.equal(rate.take("b"), 0);
  assert.equal(rate.take("c"), 0);
  assert.notEqual(rate.take("b"), 0);
  assert.notEqual(rate.take("c"), 0);
  assert.equal(rate.take("a"), 0, "forgotten");
});
