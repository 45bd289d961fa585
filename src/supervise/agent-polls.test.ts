/** What a web server's main process takes from agents, ours and anybody's; a made-up clock, real sockets. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FakeClock, LogRecorder, Notes } from "../../test/harness/link-pair.ts";
import { temporaryFolder, until } from "../../test/harness/process.ts";
import { loadOrThrow } from "../config/load.ts";
import type { ServerNews } from "../health/server-news.ts";
import type { LoadRecord } from "../load/record.ts";
import { serverHealth as healthLimits, agent as limits } from "../support/limits.ts";
import { AgentPolls } from "./agent-polls.ts";
import { NewsBoard } from "./news-board.ts";

interface Asked {
  /** What the agent says from now on; null: it is silent. */
  answer: string | null;
  readonly board: NewsBoard;
  readonly news: Notes<ServerNews>;
  readonly loads: Notes<LoadRecord>;
  readonly lines: readonly string[];
  /** The next question is asked. */
  pass(): void;
  /** And is over. */
  round(): Promise<void>;
  /** The file has, or has no, `agent:` from now on. */
  follow(hasAgent: boolean): void;
}

/** An agent that says what the test wants, and who asks it, for a server of weight 10. */
async function asked(t: TestContext, host = "127.0.0.1"): Promise<Asked> {
  const agent = createServer((socket) => {
    socket.on("error", () => {});
    if (site.answer !== null) socket.end(site.answer);
  }).listen(0, "127.0.0.1");
  t.after(() => agent.close());
  await once(agent, "listening");
  const { port } = agent.address() as AddressInfo;
  const clock = new FakeClock();
  const board = new NewsBoard();
  const news = new Notes<ServerNews>();
  const loads = new Notes<LoadRecord>();
  board.onChange = (one) => news.add(one);
  const recorder = new LogRecorder();
  const polls = new AgentPolls({
    ...{ news: board, clock, random: () => 0.5, log: recorder.log },
    onLoad: (_name, record) => loads.add(record),
    resolver: {
      resolve: (name) =>
        name === "agents.test"
          ? Promise.resolve({ addresses: ["127.0.0.9", "127.0.0.1"], validMs: 60_000 })
          : Promise.reject(new Error(`nobody knows ${name}`)),
    },
  });
  t.after(() => polls.stop());
  const site: Asked = {
    answer: "up\n",
    ...{ board, news, loads, lines: recorder.lines },
    pass: () => clock.advance(limits.askIntervalMs),
    async round() {
      site.pass();
      await until("its question is over", () => polls.openCount === 0);
    },
    follow(hasAgent) {
      const server = `{ http: "http://127.0.0.1:3", weight: 10${hasAgent ? `, agent: "${host}:${port}"` : ""} }`;
      const folder = temporaryFolder(t, {
        "flotilla.yaml": `secret: 0123456789abcdef0123456789abcdef
clusters:
  web: { servers: { web-a: { address: 127.0.0.1, port: 1 } }, listen: [{ http: 127.0.0.1:2 }], routes: [{ to: app }] }
  app: { servers: { php-a: ${server} } }
`,
      });
      const file = loadOrThrow(join(folder, "flotilla.yaml"));
      polls.follow(file, file.clusters.get("web")!);
    },
  };
  site.follow(true);
  return site;
}

const nothing = { admin: "ready", isUp: true, reason: "", weight: null, connectionsMax: null };

test("anybody's agent: weight, state and connections, and what it leaves out stays", async (t) => {
  const site = await asked(t);
  const says = async (answer: string): Promise<unknown> => {
    site.answer = answer;
    await site.round();
    return site.board.of("php-a").agent;
  };
  assert.deepEqual(await says("up 50%\n"), { ...nothing, weight: 5 });
  assert.deepEqual(await says("maxconn:7\n"), { ...nothing, weight: 5, connectionsMax: 7 });
  assert.deepEqual(await says("drain weight:3\n"), {
    ...nothing,
    ...{ admin: "drain", weight: 3, connectionsMax: 7 },
  });
  assert.deepEqual(await says("ready fail # no disk\n"), {
    ...nothing,
    ...{ isUp: false, reason: "fail: no disk", weight: 3, connectionsMax: 7 },
  });
  assert.deepEqual(await says("200%\n"), {
    ...nothing,
    ...{ isUp: false, reason: "fail: no disk", weight: 20, connectionsMax: 7 },
  });
  assert.deepEqual(await says("up 100%\n"), { ...nothing, weight: 10, connectionsMax: 7 });
  const count = site.news.all.length;
  await says("up 100%\n");
  assert.equal(site.news.all.length, count, "news of nothing new");
  assert.deepEqual(
    site.lines.filter((line) => line.startsWith("the agent of php-a says")),
    ["says drain", "says ready", "says fail: no disk", "says up"].map((what) => `the agent of php-a ${what}`),
  );
});

test("a weight of 0 is told, and an agent that changes its mind each second is not told for ever", async (t) => {
  const site = await asked(t);
  const says = (): string[] => site.lines.filter((line) => line.startsWith("the agent of php-a"));
  site.answer = "weight:0\n";
  await site.round();
  site.answer = "100%\n";
  await site.round();
  assert.deepEqual(says(), [
    "the agent of php-a says weight 0: it gets no new visitors",
    "the agent of php-a says weight 0 no more",
  ]);
  for (let times = 0; times < 20; times++) {
    site.answer = `\x1b${times}\n`;
    await site.round();
    site.answer = times % 2 === 0 ? "drain\n" : "ready\n";
    await site.round();
  }
  assert.equal(says().length, healthLimits.changeLinesMax);
  assert.match(says().at(-1)!, /; it changes often, no more is told of it for a while$/);
});

test("an agent of ours: its figures count, and not its percentage as well", async (t) => {
  const site = await asked(t);
  site.answer = "ready up 40% # cpu=3.900 queue=9.00 cpus=4\n";
  await site.round();
  assert.deepEqual(site.board.of("php-a").agent, nothing);
  assert.deepEqual([site.loads.all[0]!.queue, site.loads.all[0]!.cpus], [9, 4]);
});

for (const [what, answer, told] of [
  ["no whole line", "up", /it closed the connection without a whole line/],
  ["a line without words", "HTTP/1.1 400 Bad Request\r\n", /it said "HTTP\/1\.1 400 Bad Request/],
  ["more than a line", "x".repeat(5_000), /it said "xxx/],
  ["nothing", "", /it closed the connection without a whole line/],
] as const)
  test(`an agent that says ${what} changes nothing, and is told once`, async (t) => {
    const site = await asked(t);
    site.answer = "drain\n";
    await site.round();
    site.answer = answer;
    await site.round();
    await site.round();
    assert.equal(site.board.of("php-a").agent!.admin, "drain");
    const complaints = site.lines.filter((line) => told.test(line));
    assert.equal(complaints.length, 1, site.lines.join("\n"));
    assert.match(
      complaints[0]!,
      /^the agent of php-a \(127\.0\.0\.1:\d+\): .*; how busy the server is, is not known$/,
    );
    site.answer = "ready\n";
    await site.round();
    assert.match(site.lines.join("\n"), /the agent of php-a \(127\.0\.0\.1:\d+\) answers/);
  });

test("an agent that is silent is left after a second", async (t) => {
  const site = await asked(t);
  site.answer = null;
  site.pass();
  site.pass();
  assert.match(site.lines.join("\n"), /it did not answer in time/);
});

test("of a name each address is tried in turn; a name that nobody knows is told", async (t) => {
  const site = await asked(t, "agents.test");
  await site.round();
  assert.equal(site.board.of("php-a").agent, null);
  await site.round();
  assert.deepEqual(site.board.of("php-a").agent, nothing);
  const nobody = await asked(t, "nobody.test");
  await nobody.round();
  assert.match(nobody.lines.join(), /its name can't be resolved: nobody knows nobody\.test/);
});

test("a word that means nothing is told once, and the others count", async (t) => {
  const site = await asked(t);
  site.answer = "up 70% sideways\n";
  await site.round();
  await site.round();
  assert.equal(site.board.of("php-a").agent!.weight, 7);
  assert.equal(site.lines.filter((line) => /says "sideways", which means nothing/.test(line)).length, 1);
});

test("without an agent in the file nothing is known of it", async (t) => {
  const site = await asked(t);
  site.answer = "drain\n";
  await site.round();
  site.follow(false);
  assert.equal(site.board.of("php-a").agent, null);
});
