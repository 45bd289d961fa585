/** The action `respond`. */
import { STATUS_CODES } from "node:http";
import type { RespondSettings } from "../../config/model.ts";
import type { AnswerHead } from "../client.ts";
import type { OwnAction } from "./action.ts";

export function respondAction({ status, body, type }: RespondSettings): OwnAction {
  // Its UTF-8 bytes as characters: answers are written as latin1.
  const text = Buffer.from(body).toString("latin1");
  const head: AnswerHead = {
    status,
    reason: STATUS_CODES[status] ?? "",
    fields: text === "" ? "" : `Content-Type: ${type}\r\n`,
    contentLength: status === 204 || status === 304 ? -1 : text.length,
    hasDate: false,
  };
  const hasBody = head.contentLength >= 0;
  return {
    begin({ method }, answer) {
      const sent = hasBody && method !== "HEAD";
      answer.sendAnswer(head, sent ? "length" : "none", sent ? text : "");
      return null;
    },
  };
}
