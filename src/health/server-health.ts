/**
 * The state of one app server as one process of a web server knows it, and why it is in it. What is found out comes in as a
 * method each; `#stateNow` is the whole machine, and docs/health.md has it as a table. What needs others to compare with is
 * decided above (cluster-judge.ts).
 */
import type { Server } from "../config/model.ts";
import type { Clock, Random, Timer } from "../support/clock.ts";
import { serverHealth as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { Answering } from "./answering.ts";
import { ChangeLog } from "./change-log.ts";
import { isServerFault, Outcomes } from "./outcomes.ts";
import { RecoverTimes } from "./recover-times.ts";
import {
  downReasonOf,
  type HealthState,
  noNews,
  noWeightReasonOf,
  orderOf,
  orderReasonOf,
  type ServerNews,
} from "./server-news.ts";
import { SlowStart } from "./slow-start.ts";
import type { Waiting } from "./waiting-list.ts";

export interface HealthSettings {
  readonly slowStartMs: number;
  readonly recoverTimeMs: number;
}

/** What the servers of one process share. */
export interface HealthContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** A server has another `fullWeight`. */
  weightChanged(): void;
}

/**
 * Why a server is out, by what brings it back: its link (`link`), a connection (`connect`), or an answer (`stalled`, `failing`).
 * But for the first kind one request tries it when its time has come.
 */
interface Fault {
  readonly kind: "link" | "connect" | "stalled" | "failing";
  readonly reason: string;
}

export class ServerHealth {
  readonly name: string;
  settings: HealthSettings;
  state: HealthState;
  /** Why it is not simply up, or "". */
  reason = "";
  /** It may be chosen for visitors whom it does not know, though not in every moment. */
  isCandidate = false;
  /** It takes such a visitor now. */
  usable = false;
  /** It takes those whose sessions it keeps. */
  keeps = false;
  /** Its share of new requests now; of one that starts slowly it grows. */
  weight: number;
  /** It has requests waiting and answers nothing: it is passed over while others are not suspect. */
  suspect = false;
  /** The next request that is sent tries it; a second one is not. */
  onTrial = false;
  readonly answering: Answering = new Answering();
  readonly outcomes: Outcomes = new Outcomes();

  readonly #context: HealthContext;
  readonly #log: ChangeLog;
  readonly #slowStart: SlowStart;
  /** Of the file. */
  readonly #fileWeight: number;
  #news: ServerNews;
  #fault: Fault | null = null;
  /** The peer has said that it stops. */
  #isLeaving = false;
  #incarnation = "";
  readonly #isNew: boolean;
  /** As far as this process knows. */
  #wasUp = false;
  #retry: Timer | null = null;
  /** Until its waiting requests are told once more that they may go elsewhere. */
  #moving: Timer | null = null;
  /** Of those that were sent before. */
  #stalledUntilMs = 0;
  /** Under way while the server recovers. */
  #trial: Waiting | null = null;
  #trialMs = 0;
  readonly #recoverTimes: RecoverTimes;
  #suspectSinceMs = 0;
  #trialAtMs = 0;
  #sinceMs: number;
  #downSinceMs = 0;

  /** @param isNew it has joined while this web server runs. One that was there before may have been up for days. */
  constructor(
    { name, weight, kind }: Pick<Server, "name" | "weight" | "kind">,
    settings: HealthSettings,
    context: HealthContext,
    isNew: boolean,
  ) {
    this.name = name;
    this.settings = settings;
    this.state = "up";
    this.weight = this.#fileWeight = weight;
    this.#context = context;
    this.#isNew = isNew;
    this.#log = new ChangeLog(context.log, context.clock);
    this.#recoverTimes = new RecoverTimes(context.random);
    this.#slowStart = new SlowStart(context.clock, () => this.#settle());
    this.#news = noNews(name);
    this.#sinceMs = this.#downSinceMs = context.clock.now();
    if (kind === "link") this.#fault = { kind: "link", reason: "not connected yet" };
    this.#settle();
  }

  get fullWeight(): number {
    return this.#news.weight ?? this.#news.agent?.weight ?? this.#fileWeight;
  }

  /** Connections to it at once, as its agent wants it. */
  get connectionsMax(): number {
    return this.#news.agent?.connectionsMax || Number.POSITIVE_INFINITY;
  }

  /** As the file, operators and its agent want it, it gets new visitors: all processes hear that at the same time. */
  get isOpen(): boolean {
    return orderOf(this.#news) === "ready" && this.fullWeight > 0;
  }

  /** For how long it has been in its state, tries to recover included. */
  get forMs(): number {
    return this.#context.clock.now() - (this.isOut ? this.#downSinceMs : this.#sinceMs);
  }

  /** Down, or about to be tried. */
  get isOut(): boolean {
    return this.state === "down" || this.state === "recovering";
  }

  /** It was put down for how it answers. */
  get isJudged(): boolean {
    return this.#fault?.kind === "stalled" || this.#fault?.kind === "failing";
  }

  /** Nothing to find out: nobody waits for it, and nothing has failed of late. */
  get isAtRest(): boolean {
    return this.answering.waiting.first === null && !this.suspect && !this.isOut && !this.outcomes.someFailed;
  }

  /** This request finds out whether it answers as it should again. */
  isTrial(request: Waiting): boolean {
    return this.#fault !== null && request === this.#trial && this.isJudged;
  }

  /** What tries it may not be answered: only what can be sent to another server then is of use. */
  get isTrialRisky(): boolean {
    return this.suspect || this.isJudged;
  }

  /** Checks, orders and what its agent says, from the main process. */
  hear(news: ServerNews): void {
    const before = this.#news;
    const weightBefore = this.fullWeight;
    this.#news = news;
    if (this.fullWeight !== weightBefore) this.#context.weightChanged();
    const isWell = before.check?.passed === false && news.check?.passed === true;
    if (isWell && this.#fault?.kind !== "link") this.#endFault();
    const isBack = downReasonOf(before) !== "" && downReasonOf(news) === "";
    if (isBack || (orderOf(before) === "maint" && orderOf(news) !== "maint")) this.#startSlowly();
    this.#settle();
  }

  // Whether it can be reached.

  /** Its link is there. */
  connected(incarnation: string): void {
    const isOther = this.#incarnation !== "" && this.#incarnation !== incarnation;
    this.#incarnation = incarnation;
    this.#isLeaving = false;
    if (isOther) this.#forget();
    this.#endFault();
    if (isOther) this.#startSlowly();
    this.#settle();
  }

  /** No link; it comes back by itself. */
  lost(reason: string): void {
    this.#isLeaving = false;
    this.#fail({ kind: "link", reason });
    this.#settle();
  }

  /** Its link says that it stops: what it has begun comes to its end. */
  leaving(): void {
    this.#isLeaving = true;
    this.#settle();
  }

  /** No byte came on its link for so long. Its waiting requests move on. */
  fellSilent(silentMs: number): void {
    this.#fail({ kind: "link", reason: `silent for ${Math.round(silentMs)} ms` });
    this.#settle();
    this.#moveOn();
  }

  spoke(): void {
    if (this.#fault?.kind !== "link") return;
    this.#endFault();
    this.#settle();
  }

  /** No connection can be had. @param waitMs until one request tries it. */
  unreachable(reason: string, waitMs: number): void {
    this.#fail({ kind: "connect", reason });
    this.#retryAfter(waitMs);
    this.#settle();
  }

  /** A connection was made. */
  reached(): void {
    if (this.#fault?.kind !== "connect") return;
    this.#forget();
    this.#endFault();
    this.#startSlowly();
    this.#settle();
  }

  /** There may be a way to it now: it is tried at once. */
  mayBeReached(): void {
    if (this.#fault?.kind === "connect") this.#letTry();
  }

  // What becomes of requests.

  sent(request: Waiting): void {
    this.answering.waiting.add(request);
    if (!this.onTrial) return;
    this.onTrial = false;
    if (this.#fault !== null) {
      this.#trial = request;
      this.#trialMs = 0;
    }
    this.#settle();
  }

  /** The head of its answer is there. @param nowMs as of `performance.now()`. */
  answered(request: Waiting, status: number, nowMs: number): void {
    const isFault = isServerFault(status);
    this.answering.answered(request, nowMs);
    this.answering.waiting.remove(request);
    this.outcomes.count(isFault);
    if (this.suspect || this.#fault !== null) this.#lives(request, isFault);
  }

  /** It answered what is no answer, broke an answer off, or gave none in time. */
  failed(request: Waiting): void {
    this.outcomes.count(true);
    if (request === this.#trial) this.#judgeAgain();
  }

  /** Its connection broke. A process that ends breaks many at once, and may be back already. */
  brokeOff(request: Waiting): void {
    this.outcomes.countBreak();
    if (request === this.#trial) this.#judgeAgain();
  }

  /** The request is over, or goes elsewhere. */
  done(request: Waiting): void {
    this.answering.waiting.remove(request);
    // Its visitor left, and nothing is known: somebody else tries it.
    if (request === this.#trial) this.#waitAgain();
  }

  // What a look at all servers of the cluster finds (cluster-judge.ts).

  suspectOf(isSuspect: boolean, nowMs: number): void {
    if (isSuspect === this.suspect) return;
    this.suspect = isSuspect;
    this.#suspectSinceMs = this.#trialAtMs = nowMs;
    this.onTrial = false;
    this.#settle();
  }

  /** A suspect server that nobody asks could never answer. */
  trySuspect(nowMs: number): void {
    const everyMs = Math.max(limits.suspectTrialMs, this.answering.expectedMs);
    if (this.onTrial || nowMs - this.#trialAtMs < everyMs) return;
    this.#trialAtMs = nowMs;
    this.onTrial = true;
    this.#settle();
  }

  /** It did not answer either what it was sent when it was suspect already. @param times so many requests. */
  didNotClear(nowMs: number, times: number): boolean {
    const waitMs = Math.max(limits.suspectTrialMs, this.answering.expectedMs);
    return this.suspect && this.answering.unanswered(this.#suspectSinceMs, nowMs - waitMs) >= times;
  }

  /** It is put down. Requests that wait for a stalled one move on. */
  judge(kind: "stalled" | "failing", reason: string): void {
    const now = this.#context.clock.now();
    this.#recoverTimes.judged(now, this.settings.recoverTimeMs);
    this.#fail({ kind, reason });
    this.#waitAgain();
    if (kind === "stalled") this.#moveOn();
  }

  /** The request that tries one that was judged may have waited for too long. @param expectedMs an answer may take so long. */
  lookAtTrial(passedMs: number, expectedMs: number): void {
    if (this.#trial === null || this.#trial.awaitedSinceMs === 0) return;
    this.#trialMs += passedMs;
    if (this.#trialMs < Math.max(limits.stalledAfterMs, 2 * expectedMs)) return;
    this.#judgeAgain();
    this.#moveOn();
  }

  /** Nobody else is left: it is better than none. */
  pardon(): void {
    if (!this.isJudged) return;
    this.#endFault();
    this.#settle();
  }

  close(): void {
    this.#retry?.cancel();
    this.#moving?.cancel();
    this.#slowStart.end();
  }

  /**
   * Its waiting requests go elsewhere. What blocks a server that does one thing at a time is what it was sent first of all
   * that it has not answered; so that one follows only when the others have had a moment to be answered, and does not
   * block them a second time (A49). Who finds no room or no budget stays, and is told again.
   */
  #moveOn(): void {
    const { waiting } = this.answering;
    const isAlone = waiting.first?.nextWaiting === null;
    this.#stalledUntilMs = Number.POSITIVE_INFINITY;
    waiting.tellSilent(isAlone ? null : waiting.first, this.#stalledUntilMs);
    this.#moveRestAfter(limits.oldestMovesAfterMs);
  }

  /** One that answers again may never answer what it was sent while it did not. */
  #moveRestAfter(waitMs: number): void {
    this.#moving?.cancel();
    this.#moving = null;
    const { waiting } = this.answering;
    if (!waiting.hasSentBefore(this.#stalledUntilMs)) return;
    this.#moving = this.#context.clock.after(waitMs, () => {
      waiting.tellSilent(null, this.#stalledUntilMs);
      this.#moveRestAfter(limits.parkedLookMs);
    });
  }

  /** Something came although it is suspect or down. */
  #lives(request: Waiting, isFault: boolean): void {
    const isTrial = request === this.#trial;
    if (this.#fault === null) {
      this.suspect = this.onTrial = false;
    } else if (isTrial) {
      if (this.isJudged && isFault) return this.#judgeAgain();
      this.#endFault();
      this.#startSlowly();
    } else if (this.#fault.kind === "stalled" && this.#retry !== null && !isFault) {
      return this.#letTry();
    }
    this.#settle();
  }

  #judgeAgain(): void {
    if (this.isJudged) this.#recoverTimes.judged(this.#context.clock.now(), this.settings.recoverTimeMs);
    this.#waitAgain();
  }

  #waitAgain(): void {
    this.#trial = null;
    this.#retryAfter(this.#recoverTimes.nextMs(this.settings.recoverTimeMs, this.isJudged));
    this.#settle();
  }

  #fail(fault: Fault): void {
    this.#endFault();
    this.#fault = fault;
    this.suspect = false;
    this.#slowStart.end();
    this.outcomes.forget();
  }

  #retryAfter(waitMs: number): void {
    this.#retry?.cancel();
    this.#retry = this.#context.clock.after(waitMs, () => this.#letTry());
  }

  #letTry(): void {
    this.#retry?.cancel();
    this.#retry = null;
    if (this.#trial === null) this.onTrial = true;
    this.#settle();
  }

  #endFault(): void {
    if (this.#fault?.kind === "stalled") {
      this.#stalledUntilMs = this.#context.clock.now();
    } else {
      this.#moving?.cancel();
      this.#moving = null;
    }
    this.#fault = null;
    this.#trial = null;
    this.#retry?.cancel();
    this.#retry = null;
    this.onTrial = false;
  }

  /** Another process is there. */
  #forget(): void {
    this.answering.forget();
    this.outcomes.forget();
    this.#recoverTimes.forget();
  }

  #startSlowly(): void {
    this.#slowStart.begin(this.settings.slowStartMs);
  }

  // The state, and what follows from it.

  #stateNow(): HealthState {
    const order = orderOf(this.#news);
    if (order === "maint") return "maintenance";
    if (this.#fault?.kind === "link" || downReasonOf(this.#news) !== "") return "down";
    if (this.#fault !== null) return this.#retry === null ? "recovering" : "down";
    if (order === "drain" || this.#isLeaving) return "draining";
    return this.#slowStart.isUnderWay ? "slow-start" : "up";
  }

  #reasonNow(): string {
    const order = orderOf(this.#news);
    if (order === "maint") return orderReasonOf(this.#news);
    if (this.#fault?.kind === "link") return this.#fault.reason;
    const downReason = downReasonOf(this.#news);
    if (downReason !== "") return downReason;
    if (this.#fault !== null) return this.#fault.reason;
    if (order === "drain") return orderReasonOf(this.#news);
    if (this.#isLeaving) return "it is stopping";
    if (this.suspect) return "it has requests waiting and answers nothing";
    return noWeightReasonOf(this.#news, this.#fileWeight);
  }

  #settle(): void {
    const before = this.state;
    this.state = this.#stateNow();
    this.reason = this.#reasonNow();
    if (!this.#wasUp && this.state === "up") this.#beginLife();
    else if (this.state !== before) this.#enter(before);
    this.weight = this.fullWeight * this.#slowStart.share;
    const isServing = this.state === "up" || this.state === "slow-start";
    const isTried = this.state === "recovering" && this.onTrial;
    const isOpen = orderOf(this.#news) === "ready" && !this.#isLeaving && this.weight > 0;
    this.isCandidate = isOpen && (isServing || this.state === "recovering");
    this.usable = isOpen && (isTried || (isServing && (!this.suspect || this.onTrial)));
    this.keeps = !this.#isLeaving && (isServing || isTried || this.state === "draining");
  }

  /** The first time. */
  #beginLife(): void {
    this.#wasUp = true;
    this.#sinceMs = this.#context.clock.now();
    if (this.#isNew) this.#startSlowly();
    this.state = this.#stateNow();
  }

  #enter(before: HealthState): void {
    const now = this.#context.clock.now();
    const wasOut = before === "down" || before === "recovering";
    if (this.isOut && !wasOut) this.#downSinceMs = now;
    this.#sinceMs = now;
    const outMs = wasOut ? now - this.#downSinceMs : null;
    this.#log.changed(this, { before, outMs, isToldElsewhere: this.#isToldElsewhere });
  }

  /** Its links tell of themselves, and so does who checks, or asks an agent. */
  get #isToldElsewhere(): boolean {
    if (!this.isOut) return orderOf(this.#news) !== this.#news.order;
    if (this.#fault?.kind === "link") return !this.reason.startsWith("silent");
    return downReasonOf(this.#news) !== "";
  }
}
