/** Step "log": what is noted of a request on its way, for its line in the access log. */
import { versionOf } from "../http/request-head.ts";
import type { Ending } from "./access-lines.ts";
import type { AccessLog } from "./access-log.ts";
import type { Client } from "./client.ts";
import type { Reply } from "./reply.ts";
import type { RequestBody } from "./request-body.ts";

/** Made once per connection and used for one request after the other. Times are those of `performance.now()`. */
export class RequestRecord {
  id = "";
  ending: Ending = "--";
  attempts = 0;
  /** The last one that was tried. */
  server = "";
  cluster = "";
  startedAtMs = 0;
  /** Waited for room at a server. */
  queueMs = 0;
  sentAtMs = 0;
  connectedAtMs = 0;
  answeredAtMs = 0;

  begin(id: string): void {
    this.id = id;
    this.startedAtMs = performance.now();
  }

  write(
    log: AccessLog,
    { head, origin, headStartedAtMs }: Client,
    { receivedBytes }: RequestBody,
    { status, sentBytes }: Reply,
  ): void {
    const headMs = headStartedAtMs === 0 ? 0 : this.startedAtMs - headStartedAtMs;
    const connected = this.connectedAtMs !== 0;
    log.write({
      clientAddress: origin.address,
      clientPort: origin.port,
      tls: origin.tls,
      method: head.method,
      target: head.target,
      version: versionOf(head),
      host: head.authority,
      referer: head.referer,
      userAgent: head.userAgent,
      requestId: this.id,
      status,
      receivedBytes,
      sentBytes,
      headMs,
      queueMs: this.queueMs,
      connectMs: connected ? this.connectedAtMs - this.sentAtMs : -1,
      answerMs: connected && this.answeredAtMs !== 0 ? this.answeredAtMs - this.connectedAtMs : -1,
      durationMs: performance.now() - this.startedAtMs + headMs,
      cluster: this.cluster,
      server: this.server,
      attempts: this.attempts,
      ending: this.ending,
      reason: "",
    });
  }

  reset(): void {
    this.ending = "--";
    this.attempts = this.queueMs = 0;
    this.server = this.cluster = "";
    this.sentAtMs = this.connectedAtMs = this.answeredAtMs = 0;
  }
}
