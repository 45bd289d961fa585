/**
 * READ FIRST: one request, top to bottom.
 *
 *   accept, parse, check framing   client-connection.ts, http/request-head.ts
 *   route                          #route        route-table.ts
 *   let in                         #letIn        actions/admission.ts
 *   rewrite                        #rewrite      routed-request.ts
 *   act                            #act          actions/, files/: redirect, respond, files; or, for an app server:
 *   take the body (if wanted)      #act          request-body.ts, whole-body.ts
 *   choose server                  #choose       attempts.ts, server-pool.ts (sticky, then balance)
 *   tell who asks                  #prepare      upstream-fields.ts, forwarded.ts
 *   send                           #send         attempts.ts, link-upstream.ts or http-upstream.ts
 *   read head                      #readHead     http/answer-reader.ts
 *   retry or continue              #failed       attempts.ts
 *   reply                          #reply        http/body.ts, reply.ts, client.ts
 *   log                            #finish       request-record.ts, access-log.ts
 *
 * A connection has one Exchange and uses it for one request after the other. Nothing here waits: each step is
 * called by the bytes or the failure that makes it possible. There are no promises, streams or closures per request.
 */
import type { Maintenance } from "../config/model.ts";
import { isServerFault } from "../health/outcomes.ts";
import type { Waiting } from "../health/waiting-list.ts";
import { AnswerReader, type InterimSink } from "../http/answer-reader.ts";
import { BodyDecoder } from "../http/body.ts";
import { encodeLinkRequest } from "../http/link-request.ts";
import { isEventStream, type ResponseHead, responseBodyKind } from "../http/response-head.ts";
import { ResetCode } from "../link/api.ts";
import { http as limits } from "../support/limits.ts";
import type { OwnWork } from "./actions/action.ts";
import { redirectToHttps } from "./actions/to-https.ts";
import { type PageStatus, proxyStatus } from "./answer-pages.ts";
import { Attempts } from "./attempts.ts";
import type { Client } from "./client.ts";
import { clientAddressOf } from "./client-address.ts";
import { requestIdOf } from "./forwarded.ts";
import { OwnReply, type OwnReplyOwner } from "./own-reply.ts";
import { mayHaveSessionId, routeWithSessionId } from "./path-session.ts";
import { Reply, type ReplyOwner } from "./reply.ts";
import { RequestBody, type RequestBodyOwner } from "./request-body.ts";
import { RequestRecord } from "./request-record.ts";
import type { CompiledRoute } from "./route.ts";
import { RoutedRequest } from "./routed-request.ts";
import type { Site } from "./site.ts";
import type { Upstream, UpstreamRequest, UpstreamStream } from "./upstream.ts";
import { upstreamFields } from "./upstream-fields.ts";

type Phase = "idle" | "waiting" | "answering" | "tunnel";

export class Exchange implements UpstreamRequest, InterimSink, ReplyOwner, OwnReplyOwner, RequestBodyOwner {
  readonly #site: Site;
  readonly #client: Client;
  #phase: Phase = "idle";

  // The request.
  readonly #request: RoutedRequest;
  readonly #record = new RequestRecord();
  #taken: CompiledRoute | null = null;
  method = "";
  target = "";
  linkMeta = "";
  upstreamFields = "";
  bodyLength = -1;
  bodyless = true;
  upgrading = false;
  readonly #requestBody: RequestBody;

  readonly #attempts: Attempts;
  nextWaiting: Waiting | null = null;
  previousWaiting: Waiting | null = null;

  /** Of an action that answers without an app server. */
  #work: OwnWork | null = null;

  // The answer.
  readonly #answer = new AnswerReader();
  readonly #body = new BodyDecoder();
  readonly #reply: Reply;
  readonly #own: OwnReply;
  /** For how long the app server may send nothing now. */
  #silenceMs = 0;
  #unconsumedBytes = 0;

  constructor(site: Site, client: Client) {
    this.#site = site;
    this.#client = client;
    this.#request = new RoutedRequest(client);
    this.#requestBody = new RequestBody(client, this);
    this.#reply = new Reply(client, this.#request, this);
    this.#own = new OwnReply(site, client, this.#reply, this.#record, this);
    const parts = { routed: this.#request, body: this.#requestBody, record: this.#record };
    this.#attempts = new Attempts(this, parts);
  }

  /** The client has sent all: the answer has to begin in this time. */
  get timeoutMs(): number {
    return this.#taken?.source.timeoutMs ?? this.#site.timeouts.requestTimeoutMs;
  }

  get awaitedSinceMs(): number {
    const { connectedAtMs } = this.#record;
    if (this.bodyless || connectedAtMs === 0) return connectedAtMs;
    return this.#requestBody.open ? 0 : Math.max(connectedAtMs, this.#requestBody.endedAtMs);
  }

  get answerBufferBytesMax(): number {
    return this.#client.answerBufferBytesMax;
  }

  /** A request is being worked on. */
  get active(): boolean {
    return this.#phase !== "idle";
  }

  /** The client's head has been read and its framing is sound. */
  begin(): void {
    const { head, origin } = this.#client;
    this.#site.member.requests++;
    this.#silenceMs = this.#site.timeouts.requestTimeoutMs;
    this.#phase = "waiting";
    this.method = head.method;
    this.target = head.target;
    this.#request.begin(clientAddressOf(head, origin, this.#site.trusted));
    this.upgrading = head.upgrade !== "";
    this.bodyLength = head.contentLength;
    this.bodyless = head.contentLength <= 0 && !head.chunked;
    this.#requestBody.ended = this.bodyless;
    this.#record.begin(requestIdOf(head, origin, this.#site.requestIds));
    if (origin.redirectPort !== 0) return this.#toHttps();
    if (this.#site.maintenance !== null) return this.#answerMaintenance(this.#site.maintenance);
    const route = this.#route();
    if (route !== null && this.#letIn(route) && this.#rewrite(route)) this.#act(route);
  }

  /** The whole listener is there for that alone. */
  #toHttps(): void {
    const { head, origin } = this.#client;
    redirectToHttps(this.#request, origin.redirectPort, this.#site.routes.knowsHost(head.host), this.#own);
  }

  #route(): CompiledRoute | null {
    const { head } = this.#client;
    const { routes } = this.#site;
    const route =
      routes.takeSessionIds && mayHaveSessionId(head.path)
        ? routeWithSessionId(this.#site, head, this.#request)
        : routes.find(head, this.#request.client);
    if (route === null) {
      this.#record.ending = "PR";
      this.#own.answerItself(this.#site.routes.knowsHost(head.host) ? 404 : 421);
    }
    this.#taken = route;
    this.#reply.fieldRules = route === null ? null : route.answerFields;
    return route;
  }

  #letIn({ source, admission }: CompiledRoute): boolean {
    const { head } = this.#client;
    const refusal = admission === null ? null : admission(this.#request.client);
    if (refusal !== null) {
      this.#record.ending = "PR";
      this.#own.answerItself(refusal.status, "", refusal.fields);
      return false;
    }
    this.#requestBody.bytesMax = source.bodyBytesMax ?? this.#site.limits.bodyBytesMax;
    if (head.contentLength > this.#requestBody.bytesMax) {
      this.bodyTooLong();
      return false;
    }
    if (source.timeoutMs !== null) {
      this.#silenceMs = source.timeoutMs;
      this.#client.answerGoesOn(source.timeoutMs);
    }
    return true;
  }

  #rewrite(route: CompiledRoute): boolean {
    const status = this.#request.follow(route, this.#site.limits.targetBytesMax);
    this.target = this.#request.target;
    if (status === 0) return true;
    this.#record.ending = "PR";
    this.#own.answerItself(status);
    return false;
  }

  /** To an app server, or the web server answers itself. */
  #act(route: CompiledRoute): void {
    this.#reply.compresses = route.compresses;
    if (route.action !== null) {
      this.#record.ending = "LR";
      this.#work = route.action.begin(this.#request, this.#own);
      return;
    }
    this.#attempts.pool = route.pool;
    this.#record.cluster = route.pool!.cluster.name;
    const { maintenance } = route.pool!.cluster;
    if (maintenance !== null) return this.#answerMaintenance(maintenance);
    if (route.source.buffer && !this.bodyless) return this.#requestBody.takeWhole(this.#site.bodies);
    this.#choose();
  }

  #answerMaintenance(maintenance: Maintenance): void {
    this.#record.ending = "LR";
    this.#own.sendPage(this.#site.pages.maintenance(maintenance, this.#record.id));
  }

  bodyIsWhole(): void {
    const { trailer, bytes } = this.#requestBody.whole!;
    // A trailer needs chunks.
    if (trailer === "") this.bodyLength = bytes;
    this.#choose();
  }

  bodyFailed(error: Error): void {
    this.#site.log.warn(`the body of ${this.method} ${this.target} can't be kept: ${error.message}`);
    this.refuse(503, "");
  }

  #choose(): void {
    const first = this.#attempts.choose();
    this.#prepare();
    this.#send(first);
  }

  #prepare(): void {
    const { head, origin } = this.#client;
    const fields = upstreamFields(
      this.#client,
      this.#request,
      this.#taken!,
      this.#record.id,
      this.#requestBody.whole,
    );
    this.upstreamFields = fields;
    this.linkMeta = encodeLinkRequest(
      head.method,
      this.target,
      head.versionMinor,
      origin.linkLines,
      this.upgrading,
      fields,
    );
  }

  #send(first: Upstream | null): void {
    if (this.#attempts.send(first)) return;
    this.#record.ending = "SC";
    this.#answerUnusable();
  }

  onLate(): void {
    this.#record.ending = "sQ";
    this.#answerUnusable();
  }

  #answerUnusable(): void {
    const pool = this.#attempts.pool!;
    pool.tellUnusable(this.#site.log);
    this.#own.answerItself(
      503,
      "",
      proxyStatus(pool.isFull ? "connection_limit_reached" : "destination_unavailable"),
    );
  }

  onConnecting(): void {
    this.#record.connectedAtMs = 0;
  }

  onConnected(): void {
    this.#record.connectedAtMs = performance.now();
  }

  /** Some of the request's body; the view is valid during the call. */
  requestBytes(bytes: Buffer): void {
    this.#requestBody.received(bytes, this.#phase !== "waiting");
  }

  requestEnd(trailer: string): void {
    this.#requestBody.end(trailer);
  }

  /** The app server's answer, as it comes. */
  onData(stream: UpstreamStream, bytes: Buffer): void {
    if (stream !== this.#attempts.stream) return;
    if (this.#phase === "tunnel") this.#reply.tunnelBytes(bytes);
    else if (this.#phase === "answering") this.#replyBytes(bytes, 0);
    else this.#readHead(bytes);
    if (stream !== this.#attempts.stream) return;
    if (this.#reply.congested) this.#unconsumedBytes += bytes.length;
    else {
      stream.consumed(bytes.length);
      this.#client.answerGoesOn(this.#silenceMs);
    }
  }

  #headIsThere(): void {
    const now = performance.now();
    this.#record.answeredAtMs = now;
    this.#attempts.upstream!.answered(this, this.#answer.head.status, now);
  }

  #readHead(received: Buffer): void {
    const answer = this.#answer;
    const at = answer.read(received, this);
    if (at < 0) this.#badAnswer(answer.error);
    else if (at > 0 && answer.head.status === 101) this.#switchProtocols(answer.bytes, at);
    else if (at > 0) this.#beginReply(answer.bytes, at);
  }

  onInterim(head: ResponseHead): void {
    this.#client.sendInterim(head);
  }

  #beginReply(bytes: Buffer, at: number): void {
    const { head } = this.#answer;
    const kind = responseBodyKind(this.method, head);
    const bodyBytes = kind === "length" ? head.contentLength : 0;
    const sized = kind === "none" || kind === "length";
    if (sized && bytes.length - at > bodyBytes) return this.#badAnswer("bytes after the end of the answer");
    const isFailedTrial = isServerFault(head.status) && this.#attempts.isTrial;
    this.#headIsThere();
    // It was put down for failing, and fails again: of all visitors this one need not see it.
    if (isFailedTrial && this.#movesOn()) return;
    this.#phase = "answering";
    this.#reply.setCookie = this.#attempts.setCookie;
    if (!this.bodyless) this.#requestBody.answered();
    if (head.status >= 400 && this.#site.pages.intercepts(head.status))
      return this.#intercept(sized && bytes.length - at === bodyBytes);
    const body = kind === "none" || kind === "length" ? kind : "stream";
    if (sized && bodyBytes <= limits.oneWriteBytesMax && bytes.length - at === bodyBytes) {
      // The whole answer is here: one string, one system call.
      this.#reply.send(head, body, bodyBytes === 0 ? "" : bytes.latin1Slice(at, at + bodyBytes));
      return this.#finish();
    }
    this.#silenceMs =
      body === "stream" && isEventStream(head)
        ? limits.tunnelSilenceTimeoutMs
        : this.#site.timeouts.socketTimeoutMs;
    this.#body.begin(kind, head.contentLength);
    this.#client.cork();
    this.#reply.begin(head, body);
    this.#replyBytes(bytes, at);
    this.#client.uncork();
  }

  /** The site's own page instead of the application's. @param whole all of the answer is here: its connection can serve another. */
  #intercept(whole: boolean): void {
    const page = this.#site.pages.intercepted(this.#answer.head);
    if (!whole) {
      const stream = this.#attempts.stream!;
      this.#leave(false);
      stream.reset(ResetCode.cancel, "the site has a page of its own for it");
    }
    this.#own.sendPage(page);
  }

  #replyBytes(bytes: Buffer, start: number): void {
    const used = this.#body.push(bytes, start, bytes.length, this.#reply);
    if (used < 0) return this.#badAnswer(this.#body.error);
    if (!this.#body.done) return;
    if (start + used < bytes.length) return this.#badAnswer("bytes after the end of the answer");
    this.#endReply();
  }

  #endReply(): void {
    if (this.#reply.end(this.#body.trailer)) this.#finish();
    else this.#release();
  }

  replyEnded(): void {
    this.#finish();
  }

  /** The client has read what was written: the app server gets its credit back. */
  clientDrained(): void {
    this.#client.answerGoesOn(this.#silenceMs);
    this.#reply.drained();
  }

  replyGoesOn(): void {
    if (this.#work !== null) return this.#work.resume();
    if (this.#unconsumedBytes === 0) return;
    const bytes = this.#unconsumedBytes;
    this.#unconsumedBytes = 0;
    this.#attempts.stream?.consumed(bytes);
  }

  /** The app server has read what was written: the client may go on with its body. */
  onDrain(stream: UpstreamStream): void {
    if (stream === this.#attempts.stream) this.#requestBody.drained();
  }

  onEnd(stream: UpstreamStream, _trailer: string): void {
    if (stream !== this.#attempts.stream) return;
    if (this.#phase === "tunnel") return this.#client.endTunnel();
    if (this.#phase === "waiting") {
      this.#failed(ResetCode.linkLost, "ended without an answer");
      // Our direction may still be open: a stream that nobody ends would stay for as long as the link.
      return stream.reset(ResetCode.cancel);
    }
    this.#body.closeEnd();
    if (this.#body.done) this.#endReply();
    else this.#badAnswer("the answer broke off");
  }

  onReset(stream: UpstreamStream, code: ResetCode, message: string): void {
    if (stream === this.#attempts.stream) this.#failed(code, message);
  }

  /** The server fell silent: who waits for its answer moves on where that is safe, and where there is another one. */
  onSilent(): void {
    if (this.#phase === "waiting" && !this.#movesOn()) this.#attempts.pool!.tellSpent(this.#site.log);
  }

  /** To another server, where that is safe. @returns whether there is one. */
  #movesOn(): boolean {
    const next = this.#attempts.elsewhere(this.#answer.interims > 0);
    if (next === null) return false;
    const stream = this.#attempts.stream!;
    this.#leave(false);
    stream.reset(ResetCode.cancel);
    this.#send(next);
    return true;
  }

  #failed(code: ResetCode, message: string): void {
    const failed = this.#attempts.upstream!;
    this.#attempts.failed(code);
    if (this.#phase !== "waiting") {
      this.#record.ending = "SD";
      this.#logBroken(failed, message);
      this.#leave(false);
      return this.#client.destroy();
    }
    const next = this.#attempts.next(code, this.#answer.interims > 0);
    this.#leave(false);
    if (next !== undefined) return this.#send(next);
    this.#logBroken(failed, message);
    this.#attempts.pool!.tellSpent(this.#site.log);
    this.#record.ending = this.#record.connectedAtMs === 0 ? "SC" : code === ResetCode.timeout ? "sH" : "SH";
    this.#answerFailure(code);
  }

  #answerFailure(code: ResetCode): void {
    if (code === ResetCode.timeout) this.#own.answerItself(504, "", proxyStatus("http_response_timeout"));
    else if (code === ResetCode.refused)
      this.#own.answerItself(503, "", proxyStatus("destination_unavailable"));
    else this.#own.answerItself(502, "", proxyStatus("connection_terminated"));
  }

  /** An answer that can't be trusted: the client never sees it, the connection it came on is given up (RFC 9112, 11.2). */
  #badAnswer(what: string): void {
    const { server } = this.#attempts.upstream!;
    const isTrial = this.#phase === "waiting" && this.#attempts.isTrial;
    this.#attempts.failed(ResetCode.protocol);
    this.#site.log.warn(`${server.name} gave a wrong answer to ${this.method} ${this.target}: ${what}`);
    if (isTrial && this.#movesOn()) return;
    const stream = this.#attempts.stream!;
    this.#leave(false);
    stream.reset(ResetCode.protocol, what);
    this.#record.ending = this.#phase === "waiting" ? "PH" : "PD";
    if (this.#phase === "waiting") this.#own.answerItself(502, "", proxyStatus("http_protocol_error"));
    else this.#client.destroy();
  }

  #logBroken(upstream: Upstream, message: string): void {
    this.#site.log.warn(`${upstream.server.name} failed during ${this.method} ${this.target}: ${message}`);
  }

  #switchProtocols(bytes: Buffer, at: number): void {
    if (!this.upgrading) return this.#badAnswer("101 to a request that asked for no upgrade");
    const { head } = this.#answer;
    if (head.upgrade === "") return this.#badAnswer("101 that does not say to what");
    this.#headIsThere();
    this.#phase = "tunnel";
    this.#reply.setCookie = this.#attempts.setCookie;
    this.#reply.beginTunnel(head, head.upgrade);
    if (at < bytes.length) this.#reply.tunnelBytes(bytes.subarray(at));
  }

  /** Bytes of the client in a tunnel. */
  tunnelBytes(bytes: Buffer): void {
    if (this.#attempts.stream !== null && !this.#attempts.stream.write(bytes))
      this.#client.holdRequestBody(true);
  }

  tunnelEnd(): void {
    this.#attempts.stream?.end();
  }

  /** The time for an answer is over. */
  timedOut(): void {
    const { stream, upstream } = this.#attempts;
    if (stream !== null) {
      this.#logBroken(upstream!, "no answer in time");
      this.#attempts.failed(ResetCode.timeout);
      this.#leave(false);
      stream.reset(ResetCode.timeout, "no answer in time");
    }
    this.#record.ending = this.#phase === "waiting" ? "sH" : "sD";
    if (this.#phase === "waiting") this.#own.answerItself(504, "", proxyStatus("http_response_timeout"));
    else this.#client.destroy();
  }

  /** The client's connection is gone, or its body broke the rules: the app server need not go on. */
  clientGone(): void {
    if (this.#phase === "idle") return;
    const { stream } = this.#attempts;
    if (this.#record.ending === "--" && this.#phase !== "tunnel")
      this.#record.ending = this.#endingOfClient();
    this.#leave(false);
    stream?.reset(ResetCode.cancel, "the client has gone");
    this.#record.write(this.#site.accessLog, this.#client, this.#requestBody, this.#reply);
    this.#reset();
  }

  #endingOfClient(): "CD" | "CQ" | "CH" | "CR" {
    if (this.#phase === "answering") return "CD";
    if (this.#attempts.queued) return "CQ";
    return this.#requestBody.ended ? "CH" : "CR";
  }

  /** The body broke the rules or the limit before an answer came. */
  refuse(status: PageStatus, why: string): void {
    const { stream } = this.#attempts;
    this.#leave(false);
    stream?.reset(ResetCode.cancel, why);
    this.#record.ending = status === 408 ? "cR" : "PR";
    if (this.#phase === "waiting") this.#own.answerItself(status, why);
    else this.#client.destroy();
  }

  bodyTooLong(): void {
    // Behind the begin of an answer the rest of a body is of no use to anybody.
    if (this.#phase === "waiting")
      this.refuse(413, `The body is longer than ${this.#requestBody.bytesMax} bytes.`);
  }

  ownReplyBegins(): void {
    this.#phase = "answering";
    this.#silenceMs = this.#site.timeouts.socketTimeoutMs;
  }

  ownReplyBroke(): void {
    this.#leave(false);
    this.#client.destroy();
  }

  #finish(): void {
    this.#release();
    this.#record.write(this.#site.accessLog, this.#client, this.#requestBody, this.#reply);
    this.#reset();
    this.#client.answered();
  }

  /** The app server has done its part. */
  #release(): void {
    const { stream } = this.#attempts;
    // Our direction is open: the rest of a body is not wanted, or an upgrade was answered like any other request.
    const abandoned = stream !== null && (this.upgrading || this.#requestBody.open);
    this.#leave(this.#answer.head.keepAlive && !abandoned);
    if (abandoned) stream.reset(ResetCode.cancel, "answered before our direction ended");
  }

  /** Ends the attempt; whatever its stream still tells is not heard. */
  #leave(reusable: boolean): void {
    this.#answer.forget();
    this.#work?.over();
    this.#work = null;
    this.#requestBody.stop();
    this.#attempts.leave(reusable);
  }

  #reset(): void {
    this.#phase = "idle";
    this.#attempts.reset();
    this.#record.reset();
    this.#taken = null;
    this.linkMeta = "";
    this.upstreamFields = "";
    this.#requestBody.reset();
    this.#answer.interims = 0;
    this.#reply.reset();
    this.#unconsumedBytes = 0;
  }
}
