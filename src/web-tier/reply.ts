/**
 * Step "reply": one answer on its way to the client, whoever made it: an app server or the web server itself. On routes
 * with `compress:` it is compressed here.
 */
import type { BodySink } from "../http/body.ts";
import type { Coding } from "./accept-encoding.ts";
import type { CompiledFieldRules } from "./actions/field-rules.ts";
import type { TemplateValues } from "./actions/template-text.ts";
import { withRouteCookie } from "./affinity/route-cookie-fields.ts";
import type { AnswerBody, AnswerHead, Client } from "./client.ts";
import { codingFor, compressed, encoderOf, isWorthIt, variedHead } from "./compression.ts";
import { Compressor, type CompressorOwner, hasRoomForCompressor } from "./compressor.ts";
import { withTransportSecurity } from "./transport-security.ts";

export interface ReplyOwner {
  /** After `congested`: more of the answer can be taken. */
  replyGoesOn(): void;
  /** After `end` had returned false: the last byte was handed over. */
  replyEnded(): void;
}

/** Made once per connection and used for one answer after the other. */
export class Reply implements BodySink, CompressorOwner {
  /** 0: nothing was answered yet. */
  status = 0;
  /** Of the body. */
  sentBytes = 0;
  /** No more bytes until `ReplyOwner.replyGoesOn`, for the client reads too slowly. */
  congested = false;
  /** Asked for by the route. */
  compresses = false;
  /** Of the route, or null. */
  fieldRules: CompiledFieldRules | null = null;
  /** Keeps the visitor at his server: "Set-Cookie: ... CR LF", or "". */
  setCookie = "";
  readonly #client: Client;
  readonly #values: TemplateValues;
  readonly #owner: ReplyOwner;
  #compressor: Compressor | null = null;
  #trailer = "";

  constructor(client: Client, values: TemplateValues, owner: ReplyOwner) {
    this.#client = client;
    this.#values = values;
    this.#owner = owner;
  }

  begin(made: AnswerHead, body: AnswerBody): void {
    const head = this.#dressed(made);
    this.status = head.status;
    if (!this.compresses || !isWorthIt(head)) return this.#client.beginAnswer(head, body);
    const coding = hasRoomForCompressor() ? codingFor(this.#client.head) : null;
    if (coding === null) return this.#client.beginAnswer(variedHead(head, coding, head.contentLength), body);
    this.#compressor = new Compressor(encoderOf(coding), this);
    this.#client.beginAnswer(variedHead(head, coding, -1), "stream");
  }

  /** All of it in one write. @param text the body, latin1. */
  send(made: AnswerHead, body: AnswerBody, text: string): void {
    const head = this.#dressed(made);
    this.status = head.status;
    if (this.compresses && isWorthIt(head)) return this.#sendVaried(head, body, text);
    this.sentBytes = text.length;
    this.#client.sendAnswer(head, body, text);
  }

  #sendVaried(head: AnswerHead, body: AnswerBody, text: string): void {
    const coding = codingFor(this.#client.head);
    // HEAD is answered as GET would be, as far as can be told without the body.
    if (body === "none") return this.#client.sendAnswer(this.#headOnly(head, coding), body, "");
    const small = coding === null ? null : compressed(coding, Buffer.from(text, "latin1"));
    const isSmaller = small !== null && small.length < text.length;
    const sent = isSmaller ? small.latin1Slice() : text;
    this.sentBytes = sent.length;
    this.#client.sendAnswer(variedHead(head, isSmaller ? coding : null, sent.length), body, sent);
  }

  /** With the fields that the route wants, and ours. */
  #dressed(head: AnswerHead): AnswerHead {
    const kept = withRouteCookie(this.#ruled(head), this.setCookie);
    return withTransportSecurity(kept, this.#client.origin.hstsLine);
  }

  #ruled(head: AnswerHead): AnswerHead {
    if (this.fieldRules === null) return head;
    const { status, reason, contentLength, hasDate } = head;
    const fields = this.fieldRules.ofAnswer(head.fields, this.#values);
    return { status, reason, fields, contentLength, hasDate };
  }

  #headOnly(head: AnswerHead, coding: Coding | null): AnswerHead {
    return variedHead(head, coding, coding === null ? head.contentLength : -1);
  }

  /** A piece of the body, freed of its framing; valid during the call. */
  onBodyBytes(bytes: Buffer): void {
    if (this.#compressor !== null) {
      if (!this.#compressor.write(bytes)) this.congested = true;
      return;
    }
    this.sentBytes += bytes.length;
    if (!this.#client.sendBytes(bytes)) this.congested = true;
  }

  /** @returns false when some of it is still being compressed: `ReplyOwner.replyEnded` follows. */
  end(trailer: string): boolean {
    if (this.#compressor === null) {
      this.#client.endAnswer(trailer);
      return true;
    }
    this.#trailer = trailer;
    this.#compressor.end();
    return false;
  }

  /** The client has read what was written. */
  drained(): void {
    if (this.#compressor !== null) return this.#compressor.resume();
    this.congested = false;
    this.#owner.replyGoesOn();
  }

  onCompressed(bytes: Buffer): boolean {
    this.sentBytes += bytes.length;
    return this.#client.sendBytes(bytes);
  }

  onCompressorRoom(): void {
    this.congested = false;
    this.#owner.replyGoesOn();
  }

  onCompressedEnd(): void {
    if (this.#compressor === null) return;
    this.#client.endAnswer(this.#trailer);
    this.#owner.replyEnded();
  }

  /** It has no reason to; a half answer can only be cut. */
  onCompressorFailed(): void {
    if (this.#compressor !== null) this.#client.destroy();
  }

  beginTunnel(head: AnswerHead, upgrade: string): void {
    this.status = 101;
    this.#client.beginTunnel(withRouteCookie(head, this.setCookie), upgrade);
  }

  tunnelBytes(bytes: Buffer): void {
    this.sentBytes += bytes.length;
    if (!this.#client.sendTunnelBytes(bytes)) this.congested = true;
  }

  reset(): void {
    this.status = 0;
    this.sentBytes = 0;
    this.congested = false;
    this.compresses = false;
    this.fieldRules = null;
    this.setCookie = "";
    if (this.#compressor === null) return;
    this.#compressor.destroy();
    this.#compressor = null;
    this.#trailer = "";
  }
}
