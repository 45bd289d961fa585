/**
 * The same seeds through a whole web tier with real sockets. Requests: the app server, over plain HTTP read by a lenient
 * parser and over the link, sees exactly those requests, bounds and all, that our parser sees in the client's bytes.
 * Answers: what the client reads leniently is the app server's whole answer, or 502, or visibly cut off.
 */
import assert from "node:assert/strict";
import { METHODS } from "node:http";
import type { HeadLimits } from "../../src/http/request-head.ts";
import { seededRandom } from "../../src/support/clock.ts";
import { http } from "../../src/support/limits.ts";
import type { Target } from "../attack/targets.ts";
import { readLeniently } from "../harness/lenient-reader.ts";
import { exchange } from "../harness/raw.ts";
import { answerStream } from "./answers.ts";
import { bytesBehind, pieces, readAnswer, readRequests, waitsForHead } from "./our-reader.ts";
import { cutsOf, requestStream } from "./requests.ts";

/** @param target with the limits of our-reader.ts. */
export async function requestsThrough(seed: number, target: Target): Promise<void> {
  const random = seededRandom(seed);
  const text = requestStream(random);
  const cuts = random() < 0.5 ? [] : cutsOf(random, text);
  const wanted = readRequests(text, cuts);
  // The origin is llhttp, which knows methods by a list.
  if (wanted.requests.some(({ method }) => !METHODS.includes(method))) return;
  const { client, reached } = await target.sendAndEnd(pieces(text, cuts));
  const what = `seed ${seed}, ${target.name}, cut at ${cuts.join()}: ${JSON.stringify(text)}`;
  const whole = wanted.requests.filter((request) => request.whole);
  assert.deepEqual(
    reached.filter((request) => request.whole).map(({ method, target: path, body }) => [method, path, body]),
    whole.map((request) => [request.method, request.target, request.body]),
    what,
  );
  for (const [at, { fields, trailer }] of reached.filter((request) => request.whole).entries()) {
    assert.deepEqual(fields.slice(0, whole[at]!.fields.length / 2), lines(whole[at]!.fields), what);
    assert.deepEqual(trailer, lines(whole[at]!.trailer), what);
  }
  // One may have begun: it is the one that is not whole for us, and ended for nobody.
  assert.ok(reached.length <= wanted.requests.length, what);
  const answers = client.match(/HTTP\/1\.1 (?!100)\d{3} /g)?.length ?? 0;
  if (waitsForHead(text, wanted))
    return assert.ok(answers === whole.length || answers === whole.length + 1, what);
  const refused = wanted.end !== "more" && wanted.end !== "closed";
  assert.equal(answers, whole.length + (refused ? 1 : 0), `${what}: ${client}`);
}

function lines(pairs: readonly string[]): string[] {
  const all: string[] = [];
  for (let at = 0; at + 1 < pairs.length; at += 2) all.push(`${pairs[at]!.toLowerCase()}: ${pairs[at + 1]}`);
  return all;
}

const answerLimits: HeadLimits = {
  headBytesMax: http.responseHeadBytesMax,
  fieldsMax: http.responseFieldsMax,
  targetBytesMax: http.targetBytesMax,
};

/** @param serve what the app server is to send, piece by piece, before it ends. @param port of the web tier. */
export async function answersThrough(
  seed: number,
  name: string,
  port: number,
  serve: (parts: readonly Buffer[]) => void,
): Promise<void> {
  const random = seededRandom(seed);
  const text = answerStream(random);
  const method = random() < 0.2 ? "HEAD" : "GET";
  const cuts = random() < 0.5 ? [] : cutsOf(random, text);
  const wanted = readAnswer(method, text, cuts, answerLimits);
  serve(pieces(text, cuts));
  const got = await exchange(port, `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const what = `seed ${seed}, ${name}, cut at ${cuts.join()}, to ${method}: ${JSON.stringify(text)}: ${JSON.stringify(got)}`;
  const { messages, error } = readLeniently("answer", got, method === "HEAD");
  const finals = messages.filter(({ status }) => status >= 200);
  assert.ok(finals.length <= 1, what);
  const [final] = finals;
  const delivered = error === "" && final?.whole === true;
  if (delivered && final.status === 502 && final.body.includes("<h1>") !== (method === "HEAD")) {
    assert.equal(wanted.end, "wrong", what);
    return;
  }
  if (wanted.end === "wrong" && wanted.error !== bytesBehind) {
    assert.ok(!delivered, what);
    return;
  }
  // Bytes that come when the answer is over are noticed with it or behind it: nobody gets them either way.
  if (!delivered) {
    assert.equal(wanted.error, bytesBehind, what);
    return;
  }
  assert.deepEqual([final.status, final.body], [wanted.status, wanted.body], what);
}
