/**
 * One request of a visitor, over the visitor's own kept-alive connection. Strict on purpose: no retry, and a
 * connection that is closed while idle, an answer that is cut off or that does not come in time are failures.
 */
import {
  type Agent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
} from "node:http";
import { codeOf } from "../support/errors.ts";

/** Longest answer of the shop, in bytes: more is a fault. */
const answerBytesMax = 1_048_576;
const answerTimeoutMs = 15_000;

export interface Question {
  readonly origin: URL;
  readonly agent: Agent;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

export interface Answer {
  /** Null when a whole answer came, else what went wrong, in a word or two. */
  readonly failure: string | null;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Never rejects: what goes wrong is the answer's `failure`. */
export function ask(question: Question): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const asked = request({
    agent: question.agent,
    host: question.origin.hostname,
    port: question.origin.port,
    method: question.method,
    path: question.path,
    headers: question.headers,
  });
  const timer = setTimeout(() => fail(asked, `no answer in ${answerTimeoutMs / 1_000} s`), answerTimeoutMs);
  const settle = (answer: Answer): void => {
    clearTimeout(timer);
    resolve(answer);
  };
  const failed = (failure: string): void => settle({ failure, status: 0, headers: {}, text: "" });
  asked.on("error", (error) => failed(kindOf(error)));
  asked.on("response", (response) => collect(asked, response, settle, failed));
  asked.end(question.body ?? undefined);
  return promise;
}

function collect(
  asked: ClientRequest,
  response: IncomingMessage,
  settle: (answer: Answer) => void,
  failed: (failure: string) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > answerBytesMax) fail(asked, "answer too long");
    else chunks.push(chunk);
  });
  response.on("error", () => failed("answer cut off"));
  response.on("end", () => {
    if (!response.complete) return failed("answer cut off");
    const text = Buffer.concat(chunks).toString("utf8");
    settle({ failure: null, status: response.statusCode ?? 0, headers: response.headers, text });
  });
}

function fail(asked: ClientRequest, why: string): void {
  asked.destroy(new Error(why));
}

function kindOf(error: Error): string {
  switch (codeOf(error)) {
    case "":
      return error.message;
    case "ECONNREFUSED":
      return "connection refused";
    case "ECONNRESET":
    case "EPIPE":
      return "connection closed";
    default:
      return codeOf(error);
  }
}
