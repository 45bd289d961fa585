/** One answer, read by us and by a lenient parser: every difference must have its class. */
import { readLeniently } from "../harness/lenient-reader.ts";
import {
  chunksBreak,
  fieldLines,
  milder,
  startOf,
  tabBehindChunked,
  trailerGoesOn,
  valuesOf,
} from "./explained.ts";
import { type AnswerReading, brokenOff, bytesBehind, limits, readAnswer } from "./our-reader.ts";

interface Class {
  readonly rfc: string;
  /** @param rest from the status line of the answer that is wrong. @param body what stands behind its head. */
  readonly applies: (rest: string, body: string) => boolean;
}

const RFC9112 = "RFC 9112 ";
const inHead =
  (expression: RegExp) =>
  (rest: string): boolean =>
    expression.test(startOf(rest));
const field =
  (name: string, isWrong: (values: readonly string[]) => boolean) =>
  (rest: string): boolean =>
    isWrong(valuesOf(rest, name));
const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]";
const options = new RegExp(`^[ \t,]*(${token}+[ \t]*(,[ \t,]*|$))*$`);
const chunkError: Class = { rfc: `${RFC9112}7.1`, applies: (_rest, body) => chunksBreak(body) };

/** By the words with which we refuse; the browser gets 502 or a broken connection, never such an answer. */
export const wrongAnswers: Readonly<Record<string, Class>> = {
  "the head is too large": { rfc: "RFC 9110 5.4", applies: (rest) => rest.length >= limits.headBytesMax },
  "the status line is not one of HTTP/1.1 or HTTP/1.0": {
    rfc: `${RFC9112}4`,
    applies: (rest) => !/^HTTP\/1\.[01] \d{3}[ \r]/.test(rest),
  },
  "the status is below 100": { rfc: "RFC 9110 15", applies: inHead(/^HTTP\/1\.[01] 0/) },
  "a line ends with LF alone instead of CR LF": { rfc: `${RFC9112}2.2`, applies: inHead(/[^\r]\n/) },
  "the status line or a field value holds a control byte": {
    rfc: "RFC 9110 5.5",
    applies: inHead(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/),
  },
  "a CR stands without its LF": {
    rfc: `${RFC9112}2.2`,
    applies: (rest) => /\r([^\n]|$)/.test(startOf(rest)) || /\r[^\n]/.test(rest),
  },
  "the answer has too many header fields": {
    rfc: "RFC 9110 5.4",
    applies: (rest) => fieldLines(rest).length > limits.fieldsMax,
  },
  "a field line does not begin with a name and a colon right behind it": {
    rfc: `${RFC9112}5.1, 5.2`,
    applies: (rest) =>
      fieldLines(rest).some((line) => !new RegExp(`^${token}+:`).test(line)) || /\n\n|^\n/.test(rest),
  },
  "the answer has more than one Content-Length": {
    rfc: `${RFC9112}6.3`,
    applies: field("content-length", (values) => values.length > 1),
  },
  "the answer has Content-Length and Transfer-Encoding": {
    rfc: `${RFC9112}6.3`,
    applies: (rest) =>
      valuesOf(rest, "content-length").length > 0 && valuesOf(rest, "transfer-encoding").length > 0,
  },
  "Content-Length is not one decimal number within bounds": {
    rfc: `${RFC9112}6.3`,
    applies: field(
      "content-length",
      ([value = ""]) => !/^\d{1,16}$/.test(value) || !Number.isSafeInteger(Number(value)),
    ),
  },
  "the answer has more than one Transfer-Encoding": {
    rfc: `${RFC9112}6.1`,
    applies: field("transfer-encoding", (values) => values.length > 1),
  },
  "Transfer-Encoding does not exist in HTTP/1.0": { rfc: `${RFC9112}6.1`, applies: inHead(/^HTTP\/1\.0/) },
  "the only transfer coding understood here is chunked": {
    rfc: `${RFC9112}6.1`,
    applies: field("transfer-encoding", ([value = ""]) => value.toLowerCase() !== "chunked"),
  },
  "Connection is not a list of tokens": {
    rfc: "RFC 9110 7.6.1",
    applies: field("connection", (values) => values.some((value) => !options.test(value))),
  },
  "Connection names a framing field": {
    rfc: "RFC 9110 7.6.1",
    applies: field("connection", (values) =>
      values.some((value) => /(^|[, \t])(host|content-length|transfer-encoding)([, \t]|$)/i.test(value)),
    ),
  },
  "101 to a request that asked for no upgrade": {
    rfc: "RFC 9110 15.2.2",
    applies: inHead(/^HTTP\/1\.[01] 101/),
  },
  "a chunk size is out of bounds": chunkError,
  "a chunk does not begin with a hexadecimal size": chunkError,
  "a chunk size is followed by neither CR LF nor an extension": chunkError,
  "a chunk extension holds a control byte": chunkError,
  "the chunk extensions are too long": chunkError,
  "a chunk does not end with CR LF": chunkError,
  "a trailer line does not end with CR LF": chunkError,
  "a trailer line holds a control byte": chunkError,
  "a trailer line is not a field": chunkError,
};

/** @returns names of the classes that were met. @throws Error with the bytes, when a difference has no class. */
export function compareAnswers(
  method: string,
  text: string,
  ours: AnswerReading = readAnswer(method, text),
): string[] {
  const theirs = readLeniently("answer", text, method === "HEAD");
  const other = theirs.messages[ours.interims];
  const fail = (what: string): never => {
    throw new Error(
      `${what} in ${JSON.stringify(text)} to ${method}: we ${JSON.stringify(ours)}, they ${theirs.error} ${JSON.stringify(theirs.messages)}`,
    );
  };
  const rest = text.slice(ours.from);
  if (ours.end === "wrong") {
    if (ours.error === brokenOff) {
      if (other?.whole && theirs.error === "" && !tabBehindChunked(startOf(rest)))
        fail("whole for them only");
    } else if (ours.error === bytesBehind) {
      if (
        theirs.error === "" &&
        theirs.messages.length === ours.interims + 1 &&
        other!.body === ours.body &&
        !/^[\r\n]+$/.test(text.slice(ours.bodyFrom + ours.body.length).slice(-4))
      )
        fail("nothing behind for them");
    } else if (!wrongAnswers[ours.error]?.applies(rest, text.slice(ours.bodyFrom)))
      fail("refused without a cause");
    return [ours.error];
  }
  if (tabBehindChunked(startOf(rest))) return ["tab behind chunked"];
  if (other === undefined || !other.whole || theirs.error !== "") {
    if (!milder[theirs.error]?.applies(rest)) fail("accepted by us only");
    return [theirs.error];
  }
  if (theirs.messages.length > ours.interims + 1) fail("more answers for them");
  if (other.status !== ours.status) fail("status");
  if (other.body !== ours.body) fail("body");
  const named = valuesOf(rest, "connection")
    .join()
    .toLowerCase()
    .split(/[ \t]*,[ \t]*/);
  const wanted = linesOf(
    other.fields,
    (name) => !endsHere.test(name) && (mustStay.test(name) || !named.includes(name)),
  );
  if (wanted !== ours.fields) fail(`fields ${JSON.stringify(wanted)}`);
  const trailer = linesOf(other.trailer, trailerGoesOn);
  if (trailer !== linesOf(ours.trailer, () => true)) fail("trailer");
  return [];
}

const endsHere = /^(connection|keep-alive|proxy-connection|te|upgrade|content-length|transfer-encoding)$/;
const mustStay = /^(set-cookie|date|etag|via|content-type)$/;

function linesOf(pairs: readonly string[], goesOn: (name: string) => boolean): string {
  let lines = "";
  for (let at = 0; at + 1 < pairs.length; at += 2)
    if (goesOn(pairs[at]!.toLowerCase()))
      lines += `${pairs[at]}: ${pairs[at + 1]!.replace(/[ \t]+$/, "")}\r\n`;
  return lines;
}
