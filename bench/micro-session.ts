/**
 * What a session costs its owner per request, without HTTP: `node bench/micro-session.ts`.
 * Prints wall-clock microseconds per request of one thread, the median of nine rounds.
 */
import { createHmac, createSecretKey, randomBytes } from "node:crypto";
import { Keeper } from "../src/session/keeper.ts";
import { middlewareOf } from "../src/session/middleware.ts";
import { habitsOf } from "../src/session/options.ts";
import { placeAlone } from "../src/session/place.ts";

interface BenchRequest {
  readonly url: string;
  readonly headers: { readonly cookie?: string };
  // biome-ignore lint/suspicious/noExplicitAny: the bench's own data.
  session: any;
}

const rounds = 9;
const perRound = 40_000;
const visitors = 1_000;

const place = placeAlone(null);
const middleware = middlewareOf(new Keeper(place, habitsOf({}, "sid")));

/** A response as small as can be; the hooks are put on it and called as on a real one. */
class BareResponse {
  cookie = "";
  getHeader(): undefined {}
  setHeader(_name: string, value: string): void {
    this.cookie = value;
  }
  removeHeader(): void {}
  writeHead(): this {
    return this;
  }
  write(): boolean {
    return true;
  }
  end(): this {
    return this;
  }
}

function visit(cookie: string, handle: (req: BenchRequest) => void): string {
  const req: BenchRequest = { url: "/", headers: cookie === "" ? {} : { cookie }, session: undefined };
  const res = new BareResponse();
  middleware(req, res, () => {
    handle(req);
    res.end();
  });
  return res.cookie;
}

function median(run: (index: number) => void): number {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    for (let index = 0; index < perRound; index++) run(index);
    times.push(((performance.now() - start) * 1_000) / perRound);
  }
  return times.sort((a, b) => a - b)[rounds >> 1]!;
}

const cart = {
  items: Array.from({ length: 5 }, (_, n) => ({ sku: `boat-${n}`, count: n, price: 19.5, name: "A boat" })),
};
const cookies = Array.from({ length: visitors }, () => {
  const line = visit("", ({ session }) => {
    Object.assign(session, { user: "anna", visits: 1, cart: structuredClone(cart), passport: { user: 42 } });
  });
  return `theme=dark; _ga=GA1.1.12345; ${line.split(";", 1)[0]}`;
});
const cookieOf = (index: number): string => cookies[index % visitors]!;
let seen = 0;

/** Of the right form, each another one: only their signature tells. */
const forged = cookies.map((cookie, index) => {
  const [before, id] = cookie.split("sid=");
  return `${before}sid=${id!.slice(0, 28)}${String(index).padStart(22, "A")}`;
});
const fourForged = forged.map((cookie) => `${cookie}; ${cookie.slice(cookie.indexOf("sid="))}`.repeat(2));
const hashKey = createSecretKey(randomBytes(32));

const rows: [what: string, run: (index: number) => void][] = [
  ["no cookie, session untouched", () => visit("", () => {})],
  ["known visitor, session untouched", (index) => visit(cookieOf(index), () => {})],
  [
    "known visitor, reads user and cart",
    (index) =>
      visit(cookieOf(index), ({ session }) => {
        seen += session.cart.items.length + session.user.length;
      }),
  ],
  [
    "known visitor, changes a number",
    (index) =>
      visit(cookieOf(index), ({ session }) => {
        session.visits++;
      }),
  ],
  [
    "known visitor, changes the cart (5 items)",
    (index) =>
      visit(cookieOf(index), ({ session }) => {
        session.cart.items[0].count++;
      }),
  ],
  [
    "new visitor, first write",
    () =>
      visit("", ({ session }) => {
        session.visits = 1;
      }),
  ],
  ["forged id, session untouched", (index) => visit(forged[index % visitors]!, () => {})],
  ["the cookie four times, each forged", (index) => visit(fourForged[index % visitors]!, () => {})],
  [
    "for comparison: one HMAC-SHA256 of an id",
    (index) => {
      seen += createHmac("sha256", hashKey).update(cookieOf(index), "latin1").digest("base64url").length;
    },
  ],
];

for (const [what, run] of rows) {
  process.stdout.write(`${median(run).toFixed(2).padStart(8)} µs  ${what}\n`);
}
if (seen === 0) throw new Error("nothing was read");
