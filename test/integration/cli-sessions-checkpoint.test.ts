/** `flotilla sessions export` and `import`: what a checkpoint has, whoever is killed meanwhile, and what no import takes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { CartSite, counts, visit } from "../harness/cart-site.ts";
import { runFlotilla, start, startFlotilla, until } from "../harness/process.ts";

async function sessions(t: TestContext, site: CartSite, ...words: string[]): ReturnType<typeof runFlotilla> {
  return await runFlotilla(t, ["sessions", ...words], { cwd: site.folder });
}

/** A checkpoint of sessions that nobody has made, each with a text of this length. */
function madeUp(count: number, textLength: number): string {
  const text = "x".repeat(textLength);
  const lines = Array.from({ length: count }, (_, n) =>
    JSON.stringify({ key: randomBytes(18).toString("base64url"), idleTimeoutMs: 600_000, data: { n, text } }),
  );
  const body = ['{"flotilla":"sessions","version":1}', ...lines].join("\n");
  return `${body}\n{"end":true,"sessions":${count}}\n`;
}

test("a site under load, one of whose servers is killed: each session is in the checkpoint, whole, and works elsewhere", async (t) => {
  const site = await CartSite.make(t, { apps: 3 });
  await site.start();
  const visitors = await visit(site, 40);
  const before = await counts(visitors);
  let isOver = false;
  /** May be one less than was done, when the answer to the last request was lost. */
  const done = [...before];
  const failed = new Set<number>();
  const loads = visitors.map(async (visitor, index) => {
    while (!isOver) {
      try {
        done[index] = await visitor.ask("POST");
      } catch {
        failed.add(index);
      }
    }
  });
  const [appA] = (await site.servers()).filter(({ cluster }) => cluster === "app");
  const exporting = sessions(t, site, "export", "all.ndjson.gz");
  process.kill(appA!.pid!, "SIGKILL");
  const exported = await exporting;
  isOver = true;
  await Promise.all(loads);
  assert.equal(exported.code, 0, exported.stderr);
  assert.match(exported.stderr, /^40 sessions of app, .* in all\.ndjson\.gz$/m);
  assert.equal(statSync(join(site.folder, "all.ndjson.gz")).mode & 0o777, 0o600);
  assert.deepEqual(
    readdirSync(site.folder).filter((name) => name.startsWith(".all")),
    [],
  );

  for (const shape of [{ apps: 1, durability: "memory" }, { apps: 2 }] as const)
    await t.test(`imported by ${shape.apps} server(s)`, async () => {
      const other = await CartSite.make(t, shape);
      const running = await other.start();
      const path = join(site.folder, "all.ndjson.gz");
      const { code, stdout, stderr } = await sessions(t, other, "import", path);
      assert.deepEqual(
        { code, stdout, stderr },
        { code: 0, stdout: "40 sessions put in place.\n", stderr: "" },
      );
      const theirs = visitors.map(({ cookie }) => {
        const visitor = other.visitor();
        visitor.cookie = cookie;
        return visitor;
      });
      const carts = await counts(theirs);
      for (const [index, cart] of carts.entries())
        assert.ok(
          cart >= before[index]! && cart <= done[index]! + (failed.has(index) ? 1 : 0),
          `visitor ${index}: ${before[index]} <= ${cart} <= ${done[index]}`,
        );
      await theirs[0]!.ask("POST");
      const again = await sessions(t, other, "import", path, "--json");
      assert.match(again.stdout, /"put":0,"replaced":0,"kept":40/);
      assert.equal(await theirs[0]!.ask("GET"), carts[0]! + 1);
      assert.match((await sessions(t, other, "import", path, "--replace")).stdout, /and 40 replaced/);
      assert.deepEqual(await counts(theirs), carts);
      running.signal("SIGTERM");
      await running.exit;
    });
});

test("whoever is killed in the middle leaves no file, and can be run again", async (t) => {
  const site = await CartSite.make(t, { apps: 2 });
  await site.start();
  const total = 20_000;
  const path = join(site.folder, "made.ndjson");
  writeFileSync(path, madeUp(total, 1_000));

  await t.test("an import: what was given stays, the rest comes with the next", async () => {
    const importing = startFlotilla(t, ["sessions", "import", "made.ndjson"], { cwd: site.folder });
    const counted = async (): Promise<number> =>
      (await site.servers()).reduce((sum, server) => sum + server.sessions, 0);
    await until("some are there", async () => (await counted()) > 500);
    await importing.kill();
    const { code, stdout } = await sessions(t, site, "import", "made.ndjson", "--rate", "50000", "--json");
    const told = JSON.parse(stdout) as { put: number; kept: number };
    assert.equal(code, 0);
    assert.ok(told.kept > 500 && told.put > 0, stdout);
    assert.equal(told.kept + told.put, total);
    assert.equal(await counted(), total);
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const)
    await t.test(`an export, by ${signal}`, async () => {
      const exporting = startFlotilla(t, ["sessions", "export", "all.ndjson"], { cwd: site.folder });
      const unfinished = (): string | undefined =>
        readdirSync(site.folder).find((name) => name.startsWith(".all"));
      await until("it writes", () => {
        const name = unfinished();
        return name !== undefined && statSync(join(site.folder, name)).size > 0;
      });
      exporting.signal(signal);
      await exporting.exit;
      assert.ok(!readdirSync(site.folder).includes("all.ndjson"));
      if (signal === "SIGTERM") {
        assert.match(exporting.stderr, /all\.ndjson was not written: it was interrupted/);
        assert.equal(unfinished(), undefined);
        return;
      }
      const { code, stderr } = await sessions(t, site, "import", unfinished()!);
      assert.equal(code, 1);
      assert.match(stderr, /it has no end: it was cut after [\d]+ sessions|line \d+: it is no JSON/);
      assert.equal((await sessions(t, site, "export", "all.ndjson")).code, 0);
      assert.equal(unfinished(), undefined);
    });

  await t.test("a link stays, and so does what is no file", async () => {
    symlinkSync("all.ndjson", join(site.folder, "link.ndjson"));
    writeFileSync(join(site.folder, "all.ndjson"), "old");
    assert.equal((await sessions(t, site, "export", "link.ndjson")).code, 0);
    assert.ok(lstatSync(join(site.folder, "link.ndjson")).isSymbolicLink());
    assert.ok(statSync(join(site.folder, "all.ndjson")).size > 1_000_000);
    execFileSync("mkfifo", [join(site.folder, "fifo")]);
    for (const [name, why] of [
      ["fifo", /fifo was not written: it is no file; "-" is standard output/],
      [".", /was not written: it is a folder; name a file in it/],
    ] as const) {
      const { code, stderr } = await sessions(t, site, "export", name);
      assert.equal(code, 1);
      assert.match(stderr, why);
    }
    assert.ok(lstatSync(join(site.folder, "fifo")).isFIFO());
  });

  await t.test("mistakes without an end: read so far as there is any sense in it", async () => {
    const header = '{"flotilla":"sessions","version":1}\n';
    writeFileSync(join(site.folder, "empty.ndjson.gz"), gzipSync(header + "\n".repeat(5e6)));
    const { code, stderr } = await sessions(t, site, "import", "empty.ndjson.gz");
    assert.equal(code, 1);
    assert.match(stderr, /line 21: it is no JSON\n +and 9980 more\n +the rest was not read /);
  });

  await t.test("through a pipe: in, and out to one who does not read on", async () => {
    const cli = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");
    const shell = (words: string): ReturnType<typeof start> =>
      start(t, "bash", ["-c", words, process.execPath, cli], { cwd: site.folder });
    const out = shell('set -o pipefail; "$0" "$1" sessions export - | head -c 1');
    assert.equal((await out.exit).code, 1);
    assert.match(out.stderr, /standard output was not written: who reads it has closed it/);
    const into = shell(
      '"$0" "$1" sessions import <(head -n 11 made.ndjson; echo \'{"end":true,"sessions":10}\')',
    );
    assert.equal((await into.exit).code, 0, into.stderr);
    assert.match(into.stdout, /10 there already/);
  });

  await t.test("whole, in the order of slots, with a site that answers meanwhile", async () => {
    const [visitor] = await visit(site, 1);
    let [answered, isOver] = [0, false];
    const looks = (async () => {
      for (; !isOver; answered++) await visitor!.ask("GET");
    })();
    const { code, stdout, stderr } = await sessions(t, site, "export", "-");
    isOver = true;
    await looks;
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trimEnd().split("\n").length, total + 3);
    assert.ok(answered > 0);
  });
});

test("files that are cut, changed, or made to harm: told line by line, without values, and nothing is given", async (t) => {
  const site = await CartSite.make(t, { apps: 1, durability: "memory" });
  await site.start();
  const right = madeUp(3, 10).split("\n");
  const [head, one, , , end] = right as [string, string, string, string, string];
  const key = (JSON.parse(one) as { key: string }).key;
  const hidden = '"not-to-be-told"';
  const line = (fields: string): string => `{"key":"${key}","idleTimeoutMs":1000,${fields}}`;
  const files: readonly [what: string, content: string | Buffer, says: RegExp][] = [
    ["cut", right.slice(0, 3).join("\n"), /line 3: it has no end: it was cut after 2 sessions/],
    ["zipped and cut", gzipSync(right.join("\n")).subarray(0, 60), /it can't be read/],
    [
      "A22, A40, A47",
      [
        head,
        line(`"data":{"cookie":{"path":"/\\r\\nSet-Cookie: a"}}`),
        line(`"data":{"__proto__":{"a":${hidden}}}`),
        line(`"data":{},"\\u001b[2J":${hidden}`),
        end,
      ].join("\n"),
      /line 2: "cookie" holds what can't.*\n.*line 3: "__proto__" is a name of.*\n.*line 4: it has "\\u001b\[2J", which no/,
    ],
    ["a bomb", gzipSync(`${head}\n${" ".repeat(50_000_000)}`), /line 2: it is longer than/],
  ];
  for (const [index, [what, content, says]] of files.entries())
    await t.test(what, async () => {
      const isZipped = content instanceof Buffer && content[0] === 0x1f;
      const name = `hostile-${index}.ndjson${isZipped ? ".gz" : ""}`;
      writeFileSync(join(site.folder, name), content);
      const { code, stdout, stderr } = await sessions(t, site, "import", name);
      assert.equal(code, 1);
      assert.match(stderr, says);
      assert.match(stderr, /Nothing was given to the site.*\n[\s\S]*FLOTILLA_CHECKPOINT_WRONG/);
      assert.doesNotMatch(stdout + stderr, /not-to-be-told|x{50}|\u001b/);
    });
  assert.deepEqual(
    (await site.servers()).map((server) => server.sessions),
    [0, 0],
  );

  await t.test("cut, and from standard input: what came before is given, and told", async () => {
    writeFileSync(join(site.folder, "half.ndjson"), right.slice(0, 3).join("\n"));
    const words = `"$0" "$1" sessions import - < half.ndjson`;
    const cli = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");
    const piped = start(t, "sh", ["-c", words, process.execPath, cli], { cwd: site.folder });
    assert.equal((await piped.exit).code, 1);
    assert.match(
      piped.stderr,
      /standard input is not as .* Before that: 2 sessions given\.\n.*it was cut after 2 sessions/,
    );
    assert.match((await sessions(t, site, "end", "--all", "--yes")).stdout, /^2 sessions ended/);
  });

  await t.test("A42 who has another secret is answered nothing", async () => {
    const file = readFileSync(join(site.folder, "flotilla.yaml"), "utf8");
    writeFileSync(
      join(site.folder, "other.yaml"),
      `data: ./other\n${file.replace("secret: 0", "secret: x")}`,
    );
    for (const words of [["count"], ["end", "--all", "--yes"], ["export", "stolen.ndjson"]]) {
      const { code, stderr } = await sessions(t, site, ...words, "-c", "other.yaml");
      assert.equal(code, 1);
      assert.match(stderr, /key/);
    }
    assert.ok(!readdirSync(site.folder).includes("stolen.ndjson"));
  });

  await t.test("of another secret: it is said that cookies will not match", async () => {
    const foreign = right
      .join("\n")
      .replace('"version":1', '"version":1,"cluster":"app","idKey":"0123456789abcdef"');
    writeFileSync(join(site.folder, "foreign.ndjson"), foreign);
    const { code, stdout, stderr } = await sessions(t, site, "import", "foreign.ndjson");
    assert.deepEqual([code, stdout], [0, "3 sessions put in place.\n"]);
    assert.match(stderr, /cookies will not match these sessions, because the secret is another one/);
  });
});
