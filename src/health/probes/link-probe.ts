/**
 * Asks the application of a member of the cluster, over a link that serves nothing else: it travels as a request does, and no visitor's
 * bytes are in front of it. Without a link nothing is learned: whether a member can be reached is seen by the links of those who send requests.
 */
import type { HttpCheck, Server } from "../../config/model.ts";
import { encodeLinkRequest } from "../../http/link-request.ts";
import { type Link, type LinkStream, ResetCode, type StreamHandler, StreamKind } from "../../link/api.ts";
import { LinkDialer, type LinkDialerOptions } from "../../link/dialer.ts";
import { http as httpLimits, checks as limits } from "../../support/limits.ts";
import type { Asking } from "../../support/polling.ts";
import { CheckAnswer, checkMethod, userAgent } from "./http-answer.ts";
import type { Finding, Probe } from "./probe.ts";

export interface LinkProbeParts {
  readonly link: Omit<LinkDialerOptions, "expected" | "address" | "port" | "observer">;
  /** Of the asking web server, as the application sees it. */
  readonly ownAddress: string;
  /** "within 1 s" */
  readonly within: string;
}

export class LinkProbe implements Probe {
  readonly #check: HttpCheck;
  readonly #within: string;
  readonly #dialer: LinkDialer;
  readonly #request: string;

  constructor(server: Server, check: HttpCheck, { link, ownAddress, within }: LinkProbeParts) {
    const { name, address, port, authority } = server;
    const observer = { onUp() {}, onChange() {}, onDown() {} };
    this.#check = check;
    this.#within = within;
    const clientLines = `http\n${ownAddress}\n0\n${address}\n${port}`;
    const fields = `Host\n${check.host ?? authority}\nUser-Agent\n${userAgent}`;
    this.#request = encodeLinkRequest(checkMethod, check.target, 1, clientLines, false, fields);
    this.#dialer = new LinkDialer({ ...link, expected: name, address, port, observer });
    this.#dialer.start();
  }

  begin(done: (finding: Finding) => void): Asking<Finding> {
    const asking = new LinkAsking(this.#check, this.#within, done);
    asking.begin(this.#dialer.link, this.#request);
    return asking;
  }

  close(): void {
    this.#dialer.close();
  }
}

/** What may come of one answer: its head, the interim ones before it, and as much of its body as is read. */
const windowBytes = httpLimits.responseHeadBytesMax + limits.bodyBytesMax;

class LinkAsking implements Asking<Finding>, StreamHandler {
  readonly #answer: CheckAnswer;
  readonly #within: string;
  readonly #done: (finding: Finding) => void;
  #stream: LinkStream | null = null;
  #isOver = false;

  constructor(check: HttpCheck, within: string, done: (finding: Finding) => void) {
    this.#answer = new CheckAnswer(check);
    this.#within = within;
    this.#done = done;
  }

  begin(link: Link | null, request: string): void {
    this.#stream = link?.open(StreamKind.http, request, true, this, windowBytes) ?? null;
    if (this.#stream === null) this.#end(null);
  }

  cut(): Finding {
    this.#isOver = true;
    this.#stream?.reset(ResetCode.cancel);
    return this.#answer.late(this.#within);
  }

  onData(stream: LinkStream, bytes: Buffer): void {
    if (this.#isOver) return;
    const finding = this.#answer.push(bytes);
    if (finding === null) return;
    stream.reset(ResetCode.cancel);
    this.#end(finding);
  }

  onEnd(stream: LinkStream): void {
    if (this.#isOver) return;
    stream.reset(ResetCode.cancel);
    this.#end(this.#answer.end());
  }

  onReset(_stream: LinkStream, code: ResetCode, message: string): void {
    if (this.#isOver) return;
    this.#end(code === ResetCode.linkLost ? null : `it gave no answer (${message})`);
  }

  onDrain(): void {}

  #end(finding: Finding): void {
    this.#isOver = true;
    this.#done(finding);
  }
}
