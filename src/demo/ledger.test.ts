/** The ledger finds each kind of wrong cart, and nothing in a right one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ledger, type Trouble } from "./ledger.ts";
import { type Change, piecesOf, type Shown } from "./storefront.ts";

const twoBells: Change = { kind: "add", product: "bell", quantity: 2 };
const oneMug: Change = { kind: "add", product: "mug", quantity: 1 };
const signIn: Change = { kind: "sign-in" };
const signOut: Change = { kind: "sign-out" };
const order: Change = { kind: "order" };

function cartPage(items: Readonly<Record<string, number>>, name: string | null = null): Shown {
  const cart = new Map(Object.entries(items));
  return { name, count: piecesOf(cart), cart };
}

/** Any other page: it shows the number of pieces alone. */
function otherPage(count: number, name: string | null = null): Shown {
  return { name, count, cart: null };
}

function ledgerAfter(...changes: readonly Change[]): Ledger {
  const ledger = new Ledger("ann");
  for (const change of changes) ledger.acknowledged(change);
  return ledger;
}

function troublesOf(ledger: Ledger, shown: Shown): Partial<Record<Trouble, number>> {
  return Object.fromEntries(ledger.check(shown).troubles);
}

test("what was acknowledged is owed, and nothing else", () => {
  const ledger = ledgerAfter(twoBells, oneMug, twoBells, signIn);
  assert.deepEqual(troublesOf(ledger, cartPage({ bell: 4, mug: 1 }, "ann")), {});
  assert.deepEqual(troublesOf(ledger, otherPage(5, "ann")), {});
  assert.deepEqual([ledger.count, ledger.isSignedIn], [5, true]);
  ledger.acknowledged(order);
  assert.deepEqual(troublesOf(ledger, cartPage({}, "ann")), {});
  ledger.acknowledged(signOut);
  assert.deepEqual(troublesOf(ledger, cartPage({})), {});
});

test("the shop keeps 99 pieces of a product", () => {
  const ledger = ledgerAfter({ kind: "add", product: "bell", quantity: 98 }, twoBells);
  assert.deepEqual(troublesOf(ledger, cartPage({ bell: 99 })), {});
});

test("each kind of wrong page", () => {
  const cases: [name: string, changes: Change[], shown: Shown, troubles: Partial<Record<Trouble, number>>][] =
    [
      ["all gone", [twoBells], cartPage({}), { "session-lost": 1 }],
      ["all gone, on another page", [twoBells], otherPage(0), { "session-lost": 1 }],
      ["signed in and an empty cart: gone", [signIn], cartPage({}), { "session-lost": 1 }],
      [
        "begun anew by the last change",
        [twoBells, signIn, oneMug],
        cartPage({ mug: 1 }),
        { "session-lost": 1 },
      ],
      ["the cart alone is gone", [twoBells, signIn], cartPage({}, "ann"), { "item-lost": 2 }],
      ["a piece is missing", [twoBells, oneMug], cartPage({ bell: 1, mug: 1 }), { "item-lost": 1 }],
      ["a piece is missing, on another page", [twoBells, oneMug], otherPage(2), { "item-lost": 1 }],
      ["a piece too many", [twoBells], cartPage({ bell: 3 }), { "item-added": 1 }],
      ["a piece too many, on another page", [twoBells], otherPage(3), { "item-added": 1 }],
      ["added twice", [twoBells, oneMug], cartPage({ bell: 4, mug: 1 }), { "item-added": 2 }],
      ["a piece out of nothing", [], cartPage({ rope: 1 }), { "item-added": 1 }],
      [
        "as many pieces, of another product",
        [twoBells],
        cartPage({ mug: 2 }),
        { "item-lost": 2, "item-added": 2 },
      ],
      ["an order undone", [twoBells, order], cartPage({ bell: 2 }), { "item-added": 2 }],
      ["another visitor", [twoBells, signIn], cartPage({ bell: 2 }, "bob"), { foreign: 1 }],
      ["another visitor, by one who is not signed in", [], otherPage(0, "bob"), { foreign: 1 }],
      ["alive after the end", [twoBells, signIn, signOut], cartPage({ bell: 2 }, "ann"), { revived: 1 }],
      ["alive after the end, cart first", [signIn, signOut], otherPage(0, "ann"), { revived: 1 }],
    ];
  for (const [name, changes, shown, troubles] of cases)
    assert.deepEqual(troublesOf(ledgerAfter(...changes), shown), troubles, name);
});

test("one loss is counted once: from then on it is owed as it was shown", () => {
  const ledger = ledgerAfter(twoBells, oneMug);
  assert.deepEqual(troublesOf(ledger, cartPage({ bell: 2 })), { "item-lost": 1 });
  assert.deepEqual(troublesOf(ledger, cartPage({ bell: 2 })), {});
  // A page without the cart does not tell which piece: the cart's own page does, before anything else is compared.
  assert.deepEqual(troublesOf(ledger, otherPage(1)), { "item-lost": 1 });
  assert.equal(ledger.isSettled, false);
  assert.deepEqual(troublesOf(ledger, otherPage(1)), {});
  assert.deepEqual(troublesOf(ledger, cartPage({ bell: 1 })), {});
  assert.equal(ledger.isSettled, true);
  assert.deepEqual(troublesOf(ledger, cartPage({})), { "session-lost": 1 });
});

test("a POST without an answer: done or not, until a page shows which", () => {
  for (const [shown, wasDone] of [
    [cartPage({ bell: 2 }), false],
    [cartPage({ bell: 2, mug: 1 }), true],
    [otherPage(3), true],
  ] as const) {
    const ledger = ledgerAfter(twoBells);
    ledger.unanswered(oneMug);
    assert.equal(ledger.isSettled, false);
    const finding = ledger.check(shown);
    assert.deepEqual([finding.troubles.size, finding.wasDone], [0, wasDone]);
    assert.equal(ledger.isSettled, true);
    const other = wasDone ? cartPage({ bell: 2 }) : cartPage({ bell: 2, mug: 1 });
    assert.deepEqual(troublesOf(ledger, other), wasDone ? { "item-lost": 1 } : { "item-added": 1 });
  }
});

test("a POST without an answer excuses nothing else", () => {
  const after = (change: Change, shown: Shown): Partial<Record<Trouble, number>> => {
    const ledger = ledgerAfter(twoBells, signIn);
    ledger.unanswered(change);
    return troublesOf(ledger, shown);
  };
  assert.deepEqual(after(oneMug, cartPage({ mug: 1 }, "ann")), { "item-lost": 2 });
  assert.deepEqual(after(oneMug, cartPage({ bell: 2, mug: 2 }, "ann")), { "item-added": 1 });
  assert.deepEqual(after(oneMug, cartPage({})), { "session-lost": 1 });
  assert.deepEqual(after(oneMug, cartPage({ bell: 2, mug: 1 }, "bob")), { foreign: 1 });
  assert.deepEqual(after(order, cartPage({ bell: 1 }, "ann")), { "item-lost": 1 });
  assert.deepEqual(after(signOut, cartPage({}, "ann")), { "item-lost": 2 });
});

test("a sign-in without an answer may leave the visitor without an id; a sign-out may have worked", () => {
  const outcomes: [Change, Shown, boolean][] = [
    [signIn, cartPage({ bell: 2 }), false],
    [signIn, cartPage({ bell: 2 }, "ann"), true],
    [signIn, cartPage({}), true],
  ];
  for (const [change, shown, wasDone] of outcomes) {
    const ledger = ledgerAfter(twoBells);
    ledger.unanswered(change);
    const finding = ledger.check(shown);
    assert.deepEqual([finding.troubles.size, finding.wasDone], [0, wasDone]);
  }
  const ledger = ledgerAfter(twoBells, signIn);
  ledger.unanswered(signOut);
  assert.equal(ledger.check(cartPage({})).wasDone, true);
});

test("the id of an ended session shows nothing", () => {
  const ledger = ledgerAfter(twoBells, signIn);
  const ended = (shown: Shown): object => Object.fromEntries(ledger.checkEnded(shown));
  assert.deepEqual(ended(cartPage({})), {});
  assert.deepEqual(ended(cartPage({ bell: 2 })), { revived: 1 });
  assert.deepEqual(ended(otherPage(0, "ann")), { revived: 1 });
  assert.deepEqual(ended(otherPage(0, "bob")), { foreign: 1 });
});

/** The shop itself, for whatever the visitor may do. */
function shopAfter({ name, cart }: { name: string | null; cart: Map<string, number> }, change: Change) {
  const items = new Map(cart);
  if (change.kind === "add") items.set(change.product, (items.get(change.product) ?? 0) + change.quantity);
  if (change.kind === "order" || change.kind === "sign-out") items.clear();
  if (change.kind === "sign-in") return { name: "ann", cart: items };
  return { name: change.kind === "sign-out" ? null : name, cart: items };
}

test("any walk through a shop that works finds nothing; a shop that forgets or invents one change is found out", () => {
  const add = fc.record({
    kind: fc.constant("add" as const),
    product: fc.constantFrom("bell", "mug", "rope"),
    quantity: fc.integer({ min: 1, max: 2 }),
  });
  const other = fc.constantFrom<Change>(signIn, signOut, order);
  const steps = fc.array(
    fc.record({ change: fc.oneof(add, other), answered: fc.boolean(), done: fc.boolean() }),
    { maxLength: 20 },
  );
  const shownBy = ({ name, cart }: { name: string | null; cart: Map<string, number> }): Shown => ({
    name,
    count: piecesOf(cart),
    cart,
  });
  fc.assert(
    fc.property(steps, add, (walk, wrong) => {
      const ledger = new Ledger("ann");
      let content = { name: null as string | null, cart: new Map<string, number>() };
      for (const { change, answered, done } of walk) {
        if (answered) ledger.acknowledged(change);
        else ledger.unanswered(change);
        if (answered || done) content = shopAfter(content, change);
        assert.equal(ledger.check(shownBy(content)).troubles.size, 0);
        assert.ok(ledger.isSettled);
      }
      // Invented by the shop.
      const invented = new Map(ledger.check(shownBy(shopAfter(content, wrong))).troubles);
      assert.deepEqual(Object.fromEntries(invented), { "item-added": wrong.quantity });
      // Acknowledged, and forgotten.
      ledger.acknowledged(wrong);
      assert.equal(ledger.check(shownBy(content)).troubles.size, 1);
    }),
    { seed: 11 },
  );
});
