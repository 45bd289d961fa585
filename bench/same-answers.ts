/**
 * The proof that all contenders do the same work: the same requests get the same answers, and the application
 * sees the same requests. A figure without it could be the price of doing less.
 */
import { request } from "node:http";
import { browserHeaders } from "./load.ts";

interface Case {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

const form = [["Content-Type", "text/plain;charset=utf-8"]] as const;

const cases: readonly Case[] = [
  { name: "GET", method: "GET", path: "/", headers: [], body: "" },
  { name: "HEAD", method: "HEAD", path: "/", headers: [], body: "" },
  { name: "404", method: "GET", path: "/missing?x=1", headers: [], body: "" },
  {
    name: "POST with a length",
    method: "POST",
    path: "/echo",
    headers: [...form, ["Content-Length", "5"]],
    body: "häll",
  },
  {
    name: "POST in chunks",
    method: "POST",
    path: "/echo",
    headers: [...form, ["Transfer-Encoding", "chunked"]],
    body: "x".repeat(100_000),
  },
  {
    name: "POST without a body",
    method: "POST",
    path: "/echo",
    headers: [...form, ["Content-Length", "0"]],
    body: "",
  },
  {
    name: "what the application sees",
    method: "GET",
    path: "/seen?a=%20b&c",
    headers: [["Cookie", "sid=1; other=2"]],
    body: "",
  },
];

/** Fields that name the connection, the moment or the product; everything else must be equal. */
const ownFields = new Set(["connection", "keep-alive", "date", "server", "via"]);
/** Of what the application sees, besides: how the body was framed, and ids that are new each time. */
const ownRequestFields = new Set([...ownFields, "x-request-id", "x-forwarded-port", "forwarded", "host"]);

/** One line per case, to be compared between contenders. */
export async function answersOf(port: number): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  for (const question of cases) answers.set(question.name, await answerOf(port, question));
  return answers;
}

/** @returns the differences, as lines for a person; empty when there are none. */
export function differences(
  ours: ReadonlyMap<string, string>,
  theirs: ReadonlyMap<string, string>,
  names: readonly [string, string],
): string[] {
  return [...ours]
    .filter(([name, answer]) => answer !== theirs.get(name))
    .map(([name, answer]) => `${name}\n    ${names[0]}: ${answer}\n    ${names[1]}: ${theirs.get(name)}`);
}

function answerOf(port: number, question: Case): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const asked = request({
    host: "127.0.0.1",
    port,
    agent: false,
    method: question.method,
    path: question.path,
    headers: [["Host", "bench.test"], ...browserHeaders, ...question.headers].flat(),
  });
  asked.on("error", reject);
  asked.on("response", (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (text: string) => {
      body += text;
    });
    response.on("error", reject);
    response.on("end", () => {
      const seen = question.path.startsWith("/seen");
      const told = seen ? seenRequest(body) : `${body.length}:${body.slice(0, 200)}`;
      resolve(`${response.statusCode} ${fieldsOf(response.rawHeaders, seen)} ${told}`);
    });
  });
  asked.end(question.body);
  return promise;
}

/**
 * In a fixed order, since proxies may change the order of fields with different names (RFC 9110, section 5.3).
 * @param withoutLength the body tells of what is new each time, and so has another length
 */
function fieldsOf(raw: readonly string[], withoutLength: boolean): string {
  const fields: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!.toLowerCase();
    if (ownFields.has(name) || (withoutLength && name === "content-length")) continue;
    fields.push(`${name}: ${raw[index + 1]}`);
  }
  return JSON.stringify(fields.toSorted());
}

function seenRequest(body: string): string {
  const { method, url, headers } = JSON.parse(body) as {
    method: string;
    url: string;
    headers: Record<string, string>;
  };
  const fields = Object.entries(headers).filter(([name]) => !ownRequestFields.has(name));
  return JSON.stringify([method, url, headers.host, fields.toSorted()]);
}
