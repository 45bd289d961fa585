/** Strict-Transport-Security (RFC 6797) on every answer of a listener that has `hsts:`. */
import type { AnswerHead } from "./client.ts";

const ownLines = /^strict-transport-security:[^\r]*\r\n/gim;

/** @param line "Strict-Transport-Security: ... CR LF", or "" for the answer as it is: it takes the place of the application's own. */
export function withTransportSecurity(head: AnswerHead, line: string): AnswerHead {
  if (line === "") return head;
  const { status, reason, fields, contentLength, hasDate } = head;
  return { status, reason, fields: line + fields.replace(ownLines, ""), contentLength, hasDate };
}
