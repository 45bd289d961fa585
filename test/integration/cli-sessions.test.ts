/** `flotilla sessions` on sites of real processes: what operators see of sessions, and how they end them. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { CartSite, counts, type Visitor, visit } from "../harness/cart-site.ts";
import { runFlotilla, until } from "../harness/process.ts";

function idOf({ cookie }: Visitor): string {
  return decodeURIComponent(cookie.slice(cookie.indexOf("=") + 1));
}

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

suite("sessions on three servers", () => {
  test("count, show, end, and what is said when a server is away", async (t) => {
    const site = await CartSite.make(t, { apps: 3 });
    const running = await site.start();
    const visitors = await visit(site, 9);
    const sessions = async (...words: string[]): Promise<Ran> => {
      const { code, stdout, stderr } = await runFlotilla(t, ["sessions", ...words], { cwd: site.folder });
      return { code, out: stdout, err: stderr };
    };

    await t.test("count: all are counted, each with its copy", async () => {
      const { code, out } = await sessions("count", "--json");
      assert.equal(code, 0);
      const [app] = (
        JSON.parse(out) as { clusters: { total: object; isComplete: boolean; servers: object[] }[] }
      ).clusters;
      assert.deepEqual({ ...app!.total, bytes: 0 }, { sessions: 9, bytes: 0 });
      assert.deepEqual([app!.isComplete, app!.servers.length], [true, 3]);
      assert.match((await sessions("count", "app")).out, /^total +app +9 +\d+ \w+ +9 .* 4,096 +0$/m);
      assert.match((await sessions("count", "ap")).err, /no cluster "ap".*did you mean "app"/);
    });

    await t.test(
      "show: where it is and how large, its values only on demand, by whatever form of its id",
      async () => {
        const id = idOf(visitors[2]!);
        const plain = await sessions("show", id);
        assert.equal(plain.code, 0);
        assert.match(plain.out, /^owner +app-[abc]$/m);
        assert.match(plain.out, /^backup +app-[abc]$/m);
        assert.match(plain.out, /^KEY +BYTES\ncount +6$/m);
        for (const form of [encodeURIComponent(`s:${id}`), visitors[2]!.cookie, `"${id}"`])
          assert.match((await sessions("show", form, "--values")).out, /^count +6 +3$/m);
        const { out } = await sessions("show", id, "--values", "--json");
        const { session } = JSON.parse(out) as { session: { key: string; keys: object[] } };
        assert.deepEqual(session.keys, [{ name: "count", bytes: 6, stored: "3" }]);
        assert.equal((await sessions("show", "--key", session.key)).code, 0);
      },
    );

    await t.test("A39 an id that was edited, or is another site's, is told so and not repeated", async () => {
      const id = idOf(visitors[2]!);
      const edited = `${id.slice(0, -1)}${id.endsWith("A") ? "B" : "A"}`;
      for (const words of [
        ["show", edited],
        ["end", edited],
        ["end", id, edited],
      ]) {
        const { code, out, err } = await sessions(...words);
        assert.equal(code, 1);
        assert.match(
          err,
          /no session id that was made with the secret of flotilla.yaml.*FLOTILLA_SESSION_ID/,
        );
        assert.doesNotMatch(out + err, new RegExp(edited.slice(4, 20)));
      }
      assert.match((await sessions("show", id.slice(3, 27))).err, /say it with --key/);
    });

    await t.test("end: one, those of a user, and all; they stay ended, others stay", async () => {
      const id = idOf(visitors[2]!);
      assert.deepEqual(await sessions("end", id), { code: 0, out: "1 session ended.\n", err: "" });
      assert.match((await sessions("end", id)).out, /^0 sessions ended, 1 had ended before/);
      assert.equal((await sessions("show", id)).code, 1);
      assert.deepEqual(await counts(visitors), [1, 2, 0, 1, 2, 3, 1, 2, 3]);

      assert.match(
        (await sessions("end", "--where", "count=3", "--dry-run")).out,
        /^Would end 2 sessions of app/,
      );
      const dry = await sessions("end", "--where", "count=3", "--dry-run", "--json");
      assert.deepEqual(JSON.parse(dry.out), { found: 2, dryRun: true });
      const unasked = await sessions("end", "--where", "count=3");
      assert.deepEqual([unasked.code, unasked.out], [1, ""]);
      assert.match(unasked.err, /Nobody is there to say so: say it with --yes\. Nothing was ended/);
      assert.deepEqual(await counts(visitors), [1, 2, 0, 1, 2, 3, 1, 2, 3]);
      // As text it is nobody's.
      assert.match((await sessions("end", "--where", 'count="3"', "--yes")).out, /^0 sessions ended/);
      assert.match((await sessions("end", "--where", "count=3", "--yes")).out, /^2 sessions ended/);
      assert.deepEqual(await counts(visitors), [1, 2, 0, 1, 2, 0, 1, 2, 0]);

      const all = await sessions("end", "--all", "--yes", "--json");
      assert.equal(all.code, 0);
      assert.deepEqual(await counts(visitors), [0, 0, 0, 0, 0, 0, 0, 0, 0]);
      const { out } = await sessions("count", "--json");
      assert.match(out, /"total":\{"sessions":0,"bytes":0\}/);
    });

    await t.test("words that mean nothing are refused before anybody is asked", async () => {
      for (const words of [
        ["end"],
        ["end", "--all", "--where", "a=1"],
        ["show"],
        ["import"],
        ["end", "--all", "x"],
      ])
        assert.equal((await sessions(...words)).code, 2, words.join(" "));
      assert.match((await sessions("end", "--all", "x")).err, /do not go together: say one of them/);
      assert.match((await sessions("end", "--where", "count")).err, /FLOTILLA_SESSIONS_WHERE/);
    });

    await t.test(
      "a server that is away is named, and the totals are incomplete; what moved on is found",
      async () => {
        await Promise.all(visitors.map((visitor) => visitor.ask("POST")));
        assert.equal((await site.stop("app-b")).code, 0);
        await until("the others serve all", async () => {
          const servers = await site.servers();
          return servers.reduce((sum, { slots = 0 }) => sum + slots, 0) === 4_096;
        });
        const counted = await sessions("count");
        assert.equal(counted.code, 1);
        assert.match(
          counted.err,
          /^app-b was not counted: .*\nThe totals are incomplete: 1 server did not answer/,
        );
        assert.match(counted.out, /^total +app +9 /m);
        assert.equal((await sessions("show", idOf(visitors[0]!))).code, 0);
        assert.match((await sessions("end", "--all", "--yes")).out, /^9 sessions ended/);
        assert.deepEqual(await counts(visitors), [0, 0, 0, 0, 0, 0, 0, 0, 0]);
      },
    );

    await t.test("no server answers: nothing is claimed", async () => {
      running.signal("SIGTERM");
      await running.exit;
      const { code, err } = await sessions("end", "--all", "--yes");
      assert.deepEqual([code, /no server of app answers/.test(err)], [1, true]);
      assert.equal((await sessions("count")).code, 1);
    });
  });
});

test("one server that keeps sessions alone: the same words", async (t) => {
  const site = await CartSite.make(t, { apps: 1, durability: "memory" });
  await site.start();
  const visitors = await visit(site, 6);
  const sessions = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runFlotilla(t, ["sessions", ...words], { cwd: site.folder });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  assert.match(await sessions("count"), /^app-a +app +6 .*\napp-a keeps sessions alone\.$/m);
  assert.match(
    await sessions("show", idOf(visitors[1]!), "--values"),
    /which keeps it alone[\s\S]*^count +6 +2$/m,
  );
  assert.match(await sessions("end", "--where", "count=2", "--yes"), /^2 sessions ended/);
  assert.deepEqual(await counts(visitors), [1, 0, 3, 1, 0, 3]);
  await sessions("export", "all.ndjson");
  assert.match(await sessions("end", "--all", "--yes"), /^4 sessions ended/);
  assert.match(await sessions("import", "all.ndjson"), /^4 sessions put in place/);
  assert.deepEqual(await counts(visitors), [1, 0, 3, 1, 0, 3]);
});
