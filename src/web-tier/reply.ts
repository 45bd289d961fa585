/** Step "reply": one answer on its way to the client, whoever made it: an app server or the web server itself. */
import type { BodySink } from "../http/body.ts";
import type { AnswerBody, AnswerHead, Client } from "./client.ts";
import { withTransportSecurity } from "./transport-security.ts";

/** Made once per connection and used for one answer after the other. */
export class Reply implements BodySink {
  /** 0: nothing was answered yet. */
  status = 0;
  /** Of the body. */
  sentBytes = 0;
  /** The client reads too slowly: no more bytes until `Exchange.clientDrained`. */
  congested = false;
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  begin(head: AnswerHead, body: AnswerBody): void {
    this.status = head.status;
    this.#client.beginAnswer(withTransportSecurity(head, this.#client.origin.hstsLine), body);
  }

  /** All of it in one write. @param text the body, latin1. */
  send(head: AnswerHead, body: AnswerBody, text: string): void {
    this.status = head.status;
    this.sentBytes = text.length;
    this.#client.sendAnswer(withTransportSecurity(head, this.#client.origin.hstsLine), body, text);
  }

  /** A piece of the body, freed of its framing; valid during the call. */
  onBodyBytes(bytes: Buffer): void {
    this.sentBytes += bytes.length;
    if (!this.#client.sendBytes(bytes)) this.congested = true;
  }

  end(trailer: string): void {
    this.#client.endAnswer(trailer);
  }

  beginTunnel(head: AnswerHead, upgrade: string): void {
    this.status = 101;
    this.#client.beginTunnel(head, upgrade);
  }

  tunnelBytes(bytes: Buffer): void {
    this.sentBytes += bytes.length;
    if (!this.#client.sendTunnelBytes(bytes)) this.congested = true;
  }

  reset(): void {
    this.status = 0;
    this.sentBytes = 0;
    this.congested = false;
  }
}
