import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinkStream, StreamService } from "../link/api.ts";
import { answerQuestions } from "./service.ts";

function ask(service: StreamService, meta: string): { answer: unknown; ended: boolean } {
  let text = "";
  let ended = false;
  const stream = {
    write: (data: string) => {
      text += data;
      return true;
    },
    end: () => {
      ended = true;
    },
  } as unknown as LinkStream;
  service.onStream(stream, meta, true);
  return { answer: JSON.parse(text), ended };
}

const service = answerQuestions({
  echo: (question) => ({ got: question.servers ?? "all" }),
  fail: () => {
    throw new Error("not today");
  },
});

test("a question is answered, and the stream ends", () => {
  assert.deepEqual(ask(service, '{"ask":"echo"}'), { answer: { got: "all" }, ended: true });
  assert.deepEqual(ask(service, '{"ask":"echo","servers":["app-a"]}').answer, { got: ["app-a"] });
});

test("what can't be answered is answered with an error", () => {
  const unknown = 'this server does not know the question "reload"; it knows echo, fail';
  assert.deepEqual(ask(service, '{"ask":"reload"}').answer, { error: unknown });
  assert.deepEqual(ask(service, '{"ask":"fail"}').answer, { error: "not today" });
  assert.match(JSON.stringify(ask(service, '{"ask":"toString"}').answer), /does not know/);
  for (const meta of ["", "null", "[]", '{"ask":1}', '{"ask":"echo","servers":"x"}', `"${"x".repeat(5000)}"`])
    assert.match(JSON.stringify(ask(service, meta).answer), /"error"/, meta.slice(0, 40));
});
