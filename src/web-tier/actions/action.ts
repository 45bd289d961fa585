/**
 * What a route does with a request itself, without an app server. It answers at once, or begins something that goes on:
 * then it is told when the client has room again and when nobody waits for it any more.
 */
import type { PageStatus } from "../answer-pages.ts";
import type { AnswerBody, AnswerHead } from "../client.ts";
import type { RoutedRequest } from "../routed-request.ts";

export interface OwnAction {
  /** @returns what is under way, or null when the answer is over. */
  begin(request: RoutedRequest, answer: OwnAnswer): OwnWork | null;
}

/** Where an action's answer goes. `sendAnswer`, `endAnswer`, `answerItself` and `breakOff` end it. */
export interface OwnAnswer {
  /** All of it at once. @param text the body, latin1; "" for HEAD. */
  sendAnswer(head: AnswerHead, body: AnswerBody, text: string): void;
  /** The head and the first piece of the body, in one write. @returns as `sendBytes`. */
  beginAnswer(head: AnswerHead, body: AnswerBody, piece: Buffer): boolean;
  /** A piece of the body, which is copied. @returns false when the client reads too slowly: `OwnWork.resume` follows. */
  sendBytes(bytes: Buffer): boolean;
  endAnswer(): void;
  /** An error page. @param why one more sentence, or "". @param fields more lines of the head, "Name: value CR LF ...". */
  answerItself(status: PageStatus, why: string, fields: string): void;
  /** The answer can't be finished: the client is told in the only way there is, by cutting it. */
  breakOff(): void;
}

export interface OwnWork {
  /** The client has read what was written. */
  resume(): void;
  /** The request is over, in whatever way: nothing more of it may be written, and what is held is let go. */
  over(): void;
}
