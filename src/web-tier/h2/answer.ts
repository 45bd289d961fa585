/** Heads of answers in HTTP/2: the fields of an answer as a list, names and values in turn. */
import type { OutgoingHttpHeaders } from "node:http2";
import type { AnswerBody, AnswerHead } from "../client.ts";
import { httpDate } from "../http-date.ts";

/** For `ServerHttp2Stream.respond`, which writes names in lower case itself. */
export function answerFields(answer: AnswerHead, body: AnswerBody): string[] {
  const list = [":status", `${answer.status}`];
  pushLines(list, answer.fields);
  if (!answer.hasDate) list.push("date", httpDate());
  // A length without a body is that of the body a GET would get (HEAD, 304); 204 has none (RFC 9110, 8.6).
  if (body !== "stream" && answer.contentLength >= 0 && answer.status !== 204)
    list.push("content-length", `${answer.contentLength}`);
  return list;
}

/** For `ServerHttp2Stream.additionalHeaders`. */
export function interimFields(answer: AnswerHead): OutgoingHttpHeaders {
  const list: string[] = [];
  pushLines(list, answer.fields);
  return { ":status": answer.status, ...grouped(list) };
}

/** For `Http2Stream.sendTrailers`. @param trailer "name LF value LF ..." as the decoder lets it through. */
export function trailerFields(trailer: string): OutgoingHttpHeaders {
  return grouped(trailer.split("\n"));
}

/** @param fields "Name: value CR LF Name: value CR LF". */
function pushLines(list: string[], fields: string): void {
  for (let at = 0; at < fields.length; ) {
    const colon = fields.indexOf(":", at);
    const end = fields.indexOf("\r\n", colon);
    list.push(fields.slice(at, colon), fields.slice(colon + 2, end));
    at = end + 2;
  }
}

/** Lines of one name stay apart. */
function grouped(list: readonly string[]): OutgoingHttpHeaders {
  const fields: Record<string, string[]> = Object.create(null);
  for (let at = 0; at + 1 < list.length; at += 2) {
    const name = list[at]!.toLowerCase();
    fields[name] ??= [];
    fields[name].push(list[at + 1]!);
  }
  return fields;
}
