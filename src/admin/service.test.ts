import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinkStream, StreamService } from "../link/api.ts";
import { admin as limits } from "../support/limits.ts";
import { answerQuestions, JsonText } from "./service.ts";

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

test("a long question comes as data, in pieces and within bounds; an answer may be JSON already", () => {
  let text = "";
  let isReset = false;
  const stream = {
    write: (data: string) => {
      text += data;
      return true;
    },
    end: () => {},
    consumed: () => {},
    reset: () => {
      isReset = true;
    },
  } as unknown as LinkStream;
  const echo = answerQuestions({ echo: ({ content }) => new JsonText(`{"got":${JSON.stringify(content)}}`) });
  const ask = (...pieces: Buffer[]): string => {
    text = "";
    const handler = echo.onStream(stream, '{"ask":"echo"}', false)!;
    for (const piece of pieces) handler.onData(stream, piece);
    if (!isReset) handler.onEnd(stream, "");
    return text;
  };
  const content = Buffer.from('{"name":"Jürgen"}');
  assert.equal(ask(content.subarray(0, 10), content.subarray(10)), '{"got":{"name":"Jürgen"}}');
  assert.match(ask(Buffer.from("{")), /"error"/);
  ask(Buffer.alloc(limits.contentBytesMax + 1));
  assert.equal(isReset, true);
});
