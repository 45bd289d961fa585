/** Heads of answers in HTTP/1.1, framed anew from what was understood. */
import type { AnswerHead } from "./client.ts";
import { httpDate } from "./http-date.ts";

/** @param chunking the body comes in chunks. @param keepOpen another request may follow. @param versionMinor the client's. */
export function answerHead(
  answer: AnswerHead,
  chunking: boolean,
  keepOpen: boolean,
  versionMinor: 0 | 1,
): string {
  let text = `HTTP/1.1 ${answer.status} ${answer.reason}\r\n${answer.fields}`;
  if (!answer.hasDate) text += `Date: ${httpDate()}\r\n`;
  if (chunking) text += "Transfer-Encoding: chunked\r\n";
  // A length without a body is that of the body a GET would get (HEAD, 304); 204 has none (RFC 9110, 8.6).
  else if (answer.contentLength >= 0 && answer.status !== 204)
    text += `Content-Length: ${answer.contentLength}\r\n`;
  if (!keepOpen) text += "Connection: close\r\n";
  else if (versionMinor === 0) text += "Connection: keep-alive\r\n";
  return `${text}\r\n`;
}

export function interimHead(answer: AnswerHead): string {
  return `HTTP/1.1 ${answer.status} ${answer.reason}\r\n${answer.fields}\r\n`;
}

export function switchingHead(answer: AnswerHead, upgrade: string): string {
  return `HTTP/1.1 101 ${answer.reason}\r\n${answer.fields}Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`;
}

/** @param trailer "name\nvalue\n..." as the decoder lets it through. */
export function trailerLines(trailer: string): string {
  if (trailer === "") return "";
  const parts = trailer.split("\n");
  let lines = "";
  for (let at = 0; at + 1 < parts.length; at += 2) lines += `${parts[at]}: ${parts[at + 1]}\r\n`;
  return lines;
}
