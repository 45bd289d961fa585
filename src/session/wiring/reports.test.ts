/** What an operator is told, and how often. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { ResetCode } from "../../link/api.ts";
import { Reports } from "./reports.ts";

function reports(): { reports: Reports; lines: string[] } {
  const lines: string[] = [];
  const write = (line: string): void => {
    const { code = "", msg } = JSON.parse(line) as { code?: string; msg: string };
    lines.push(`${code} ${msg}`);
  };
  return { reports: new Reports(pino({ level: "info" }, { write })), lines };
}

test("a restarted server is not worth a word; two processes of one name are, once", () => {
  const { reports: told, lines } = reports();
  for (const incarnation of ["1", "1", "2", "3", "3"]) told.onProcess("app-b", incarnation);
  for (const incarnation of ["1", "2"]) told.onProcess("app-c", incarnation);
  assert.deepEqual(lines, []);
  for (const incarnation of ["2", "3", "2"]) told.onProcess("app-b", incarnation);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^FLOTILLA_SERVER_TWICE two processes call themselves app-b/);
});

test("that streams end is told when somebody has to do something about it, and seldom", () => {
  const { reports: told, lines } = reports();
  for (let times = 0; times < 3; times++) told.onEnd("app-b", "it goes away", ResetCode.cancel);
  assert.deepEqual(lines, []);
  for (let times = 0; times < 3; times++)
    told.onEnd("app-b", "it keeps its sessions alone", ResetCode.refused);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^FLOTILLA_SESSIONS_MIXED app-b .*it keeps its sessions alone/);
  const broken = reports();
  for (let times = 0; times < 3; times++) broken.reports.onEnd("app-c", "unreadable", ResetCode.protocol);
  assert.equal(broken.lines.length, 1);
  assert.match(broken.lines[0]!, /^FLOTILLA_SESSION_PROTOCOL .*app-c ended \(unreadable\)/);
});
