/** Operators and rows that somebody else has written to: one of these keeps nobody from the others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreWorld } from "../../../test/harness/store-world.ts";
import { sessionAnswers } from "../../app-tier/session-questions.ts";
import type { Server } from "../../config/model.ts";
import { DatabaseAdmin } from "./database-admin.ts";
import type { PageAnswer } from "./questions.ts";
import { SlotSet } from "./slot-set.ts";

const asker = { name: "app-a", letter: "a", processIndex: 0 } as Server;

async function siteWithDamage() {
  const site = new StoreWorld();
  const server = await site.server("a", { load: "always" });
  const keys: string[] = [];
  for (let n = 0; n < 4; n++) keys.push((await server.create({ n })).key);
  keys.sort();
  const [first, , third] = keys;
  site.database.rows.get(first!)!.data = '{"n":';
  site.database.rows.get(third!)!.version = Number.NaN;
  // No id is like that, so nobody has its cookie.
  const row = site.database.rows.get(keys[1]!)!;
  for (const odd of ["", "-", "zzz"]) site.database.rows.set(odd, { ...row });
  const answers = sessionAnswers(asker, () => new DatabaseAdmin(server.store));
  const ask = async (what: string, content: object): Promise<unknown> => {
    const asked = answers[what]!({ content } as never);
    await site.pass(100);
    const answer: unknown = await asked;
    return "text" in (answer as object) ? JSON.parse((answer as { text: string }).text) : answer;
  };
  return { site, keys, ask };
}

const whole = { slots: SlotSet.all().text, after: "", where: null, isForKeys: false };

test("pages have all others, and say how many can't be read; those that are asked for their keys have all", async () => {
  const { keys, ask } = await siteWithDamage();
  const records = (await ask("sessions-page", whole)) as PageAnswer;
  const told = records.sessions.map((record) => (record as { key: string }).key);
  assert.deepEqual([told, records.damaged, records.next], [[keys[1], keys[3]], 2, null]);
  const all = (await ask("sessions-page", { ...whole, isForKeys: true })) as PageAnswer;
  assert.deepEqual([all.sessions, all.damaged], [keys, 0]);
  const where = { name: "n", text: "7" };
  const some = (await ask("sessions-page", { ...whole, isForKeys: true, where })) as PageAnswer;
  assert.deepEqual([some.sessions, some.damaged], [[], 2]);
});

test("one that can't be read: why, when it is asked for; it can be ended", async () => {
  const { site, keys, ask } = await siteWithDamage();
  const shown = (await ask("sessions-show", { key: keys[0], withValues: true })) as { damage: string };
  assert.match(shown.damage, /^the row of session .* can't be read: its data are no JSON/);
  const ended = await ask("sessions-end", { keys, where: null, areThere: false });
  assert.deepEqual(ended, { outcomes: keys.map(() => "ended") });
  assert.deepEqual(site.database.livingKeys(), ["", "-", "zzz"]);
});

test("one that is given, and that the database can't hold, is refused: it is not to be given again", async () => {
  const { site, ask } = await siteWithDamage();
  site.database.cannotHold = /bad/;
  const records = ((await ask("sessions-page", whole)) as PageAnswer).sessions as { data: object }[];
  const sessions = records.map((record, n) => ({ ...record, data: { text: n === 0 ? "bad" : "good" } }));
  const given = await ask("sessions-put", { sessions, replaces: true });
  assert.deepEqual(given, { outcomes: ["refused", "replaced"] });
});
