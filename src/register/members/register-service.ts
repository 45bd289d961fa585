/**
 * Questions to voters over the cluster port. A question is one stream: the register's name (its cluster's) as
 * metadata, the question as its body; the answer is the other direction's body. An answer that can't be given is a
 * reset whose message says why.
 */
import {
  type Link,
  type LinkStream,
  ResetCode,
  type StreamHandler,
  StreamKind,
  type StreamService,
} from "../../link/api.ts";
import { afterAwake, systemClock, type Timer } from "../../support/clock.ts";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { register as limits } from "../../support/limits.ts";
import { unreachable } from "../unreachable.ts";
import type { Acceptor, AnswerDone } from "./acceptor.ts";
import {
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  type VoterAnswer,
  type VoterRequest,
} from "./messages.ts";
import type { VoterTransport } from "./patience.ts";

/** Serves this machine's votes. `acceptors`: by the name of the register. */
export function registerService(acceptors: ReadonlyMap<string, Acceptor>): StreamService {
  return {
    onStream(stream: LinkStream, name: string, ended: boolean): StreamHandler | null {
      const acceptor = acceptors.get(name);
      if (acceptor !== undefined && !ended) return new Question(acceptor);
      stream.reset(
        ResetCode.refused,
        ended ? "a question has a body" : `no vote for the register "${name}" here`,
      );
      return null;
    },
  };
}

/** Links to the processes at a voter's address, the best one first; none: it can't be asked now. */
export type LinksTo = (voter: string) => readonly Link[];

/** Asks voters over links, and the one of this machine without. */
export class LinkVoterTransport implements VoterTransport {
  readonly #register: string;
  readonly #linksTo: LinksTo;
  readonly #own: { readonly name: string; readonly acceptor: Acceptor } | null;

  constructor(
    register: string,
    linksTo: LinksTo,
    own: { readonly name: string; readonly acceptor: Acceptor } | null,
  ) {
    this.#register = register;
    this.#linksTo = linksTo;
    this.#own = own;
  }

  send(voter: string, request: VoterRequest, done: AnswerDone): void {
    if (voter === this.#own?.name) {
      this.#own.acceptor.handle(request, done);
      return;
    }
    const links = this.#linksTo(voter);
    const usable = links.filter((link) => link.usable);
    // One that is silent may be stopped; another process of the same machine can vote as well.
    const link = usable.find(({ silent }) => !silent) ?? usable[0];
    if (link === undefined) done(unreachable(`there is no link to the voter at ${voter}`), null);
    else new Asked(voter, done).send(link, this.#register, request);
  }
}

/** Gathers one side's body, up to the limit. */
class Body {
  readonly #chunks: Buffer[] = [];
  #length = 0;

  /** @returns false when it is too large. */
  add(stream: LinkStream, bytes: Buffer): boolean {
    this.#length += bytes.length;
    if (this.#length > limits.messageBytesMax) return false;
    // A copy: the bytes are ours only during the call.
    this.#chunks.push(Buffer.from(bytes));
    stream.consumed(bytes.length);
    return true;
  }

  whole(): Buffer {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
  }
}

class Question implements StreamHandler {
  readonly #acceptor: Acceptor;
  readonly #body: Body = new Body();

  constructor(acceptor: Acceptor) {
    this.#acceptor = acceptor;
  }

  onData(stream: LinkStream, bytes: Buffer): void {
    if (!this.#body.add(stream, bytes)) stream.reset(ResetCode.protocol, "the question is too large");
  }

  onEnd(stream: LinkStream): void {
    let request: VoterRequest;
    try {
      request = decodeRequest(this.#body.whole());
    } catch (thrown) {
      stream.reset(ResetCode.protocol, messageOf(thrown));
      return;
    }
    this.#acceptor.handle(request, (error, answer) => {
      if (stream.closed) return;
      if (answer === null) {
        stream.reset(ResetCode.internal, error?.message ?? "no vote");
        return;
      }
      stream.write(encodeAnswer(answer));
      stream.end();
    });
  }

  onReset(): void {}

  onDrain(): void {}
}

/** One question on its way. Whoever asks has a time limit of its own; this one only frees the stream. */
class Asked implements StreamHandler {
  readonly #voter: string;
  readonly #done: AnswerDone;
  readonly #body: Body = new Body();
  #timer: Timer | null = null;

  constructor(voter: string, done: AnswerDone) {
    this.#voter = voter;
    this.#done = done;
  }

  send(link: Link, register: string, request: VoterRequest): void {
    const stream = link.open(StreamKind.register, register, false, this);
    if (stream === null)
      return this.#end(unreachable(`the link to the voter at ${this.#voter} takes no questions`));
    this.#timer = afterAwake(systemClock, limits.voteTimeoutMs, limits.awakeStepMs, () => {
      stream.reset(ResetCode.timeout, "no vote in time");
      this.#end(unreachable(`the voter at ${this.#voter} did not answer in time`));
    });
    stream.write(encodeRequest(request));
    stream.end();
  }

  onData(stream: LinkStream, bytes: Buffer): void {
    if (this.#body.add(stream, bytes)) return;
    stream.reset(ResetCode.protocol, "the answer is too large");
    this.#end(unreachable(`the voter at ${this.#voter} answered too much`));
  }

  onEnd(): void {
    this.#timer?.cancel();
    let answer: VoterAnswer;
    try {
      answer = decodeAnswer(this.#body.whole());
    } catch (thrown) {
      if (!(thrown instanceof FlotillaError)) throw thrown;
      this.#end(thrown);
      return;
    }
    this.#done(null, answer);
  }

  onReset(_stream: LinkStream, _code: ResetCode, message: string): void {
    this.#end(unreachable(`the voter at ${this.#voter} did not answer: ${message}`));
  }

  onDrain(): void {}

  #end(error: FlotillaError): void {
    this.#timer?.cancel();
    this.#done(error, null);
  }
}
