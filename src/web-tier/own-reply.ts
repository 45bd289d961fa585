/** Answers that the web server makes itself: error pages, and what the actions of routes answer. */
import type { OwnAnswer } from "./actions/action.ts";
import type { Page, PageStatus } from "./answer-pages.ts";
import type { AnswerBody, AnswerHead, Client } from "./client.ts";
import type { Reply } from "./reply.ts";
import type { RequestRecord } from "./request-record.ts";
import type { Site } from "./site.ts";

export interface OwnReplyOwner {
  /** The answer begins. */
  ownReplyBegins(): void;
  replyEnded(): void;
  /** The answer can't be finished. */
  ownReplyBroke(): void;
}

/** Made once per connection and used for one answer after the other. */
export class OwnReply implements OwnAnswer {
  readonly #site: Site;
  readonly #client: Client;
  readonly #reply: Reply;
  readonly #record: RequestRecord;
  readonly #owner: OwnReplyOwner;

  constructor(site: Site, client: Client, reply: Reply, record: RequestRecord, owner: OwnReplyOwner) {
    this.#site = site;
    this.#client = client;
    this.#reply = reply;
    this.#record = record;
    this.#owner = owner;
  }

  answerItself(status: PageStatus, why: string = "", fields: string = ""): void {
    this.sendPage(this.#site.pages.page(status, why, this.#record.id, fields));
  }

  sendPage(page: Page): void {
    const headOnly = this.#client.head.method === "HEAD";
    this.sendAnswer(page.head, headOnly ? "none" : "length", headOnly ? "" : page.text);
  }

  sendAnswer(head: AnswerHead, body: AnswerBody, text: string): void {
    this.#owner.ownReplyBegins();
    this.#reply.send(head, body, text);
    this.#owner.replyEnded();
  }

  beginAnswer(head: AnswerHead, body: AnswerBody, piece: Buffer): boolean {
    this.#owner.ownReplyBegins();
    this.#client.cork();
    this.#reply.begin(head, body);
    const flowing = this.sendBytes(piece);
    this.#client.uncork();
    return flowing;
  }

  sendBytes(bytes: Buffer): boolean {
    this.#reply.onBodyBytes(bytes);
    if (this.#reply.congested) return false;
    this.#client.answerGoesOn(this.#site.timeouts.socketTimeoutMs);
    return true;
  }

  endAnswer(): void {
    if (this.#reply.end("")) this.#owner.replyEnded();
  }

  breakOff(): void {
    this.#record.ending = "PD";
    this.#owner.ownReplyBroke();
  }
}
