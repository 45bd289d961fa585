/**
 * Questions of operators, answered over the cluster port. A question is one JSON object in the stream's
 * opening metadata, `{"ask":"status"}`; a `content` that is long comes as the stream's data. The answer is one JSON object as the
 * stream's data, then its end.
 * What can't be answered is answered too: `{"error":"..."}`.
 */
import { type LinkStream, ResetCode, type StreamHandler, type StreamService } from "../link/api.ts";
import type { Member, MemberStatus, RegisterView, StopCheck } from "../member/member.ts";
import { FlotillaError, messageOf } from "../support/errors.ts";
import { admin as limits } from "../support/limits.ts";
import { compareWithStarted, type ReloadAnswer } from "./started-file.ts";

export interface Question {
  readonly ask: string;
  /** Supervisors: which servers, or all. `stop-check`: which others are to be stopped with it. */
  readonly servers?: readonly string[];
  /** `stop`: also what keeps sessions that can't be saved. */
  readonly force?: boolean;
  /** `reload`: the file that is meant. */
  readonly path?: string;
  /** Anything that whoever is asked looks at itself, because it may come from anybody. */
  readonly content?: unknown;
}

/** What an asked one does for each question it knows; the returned object, now or later, is the answer. */
export type Answers = Readonly<Record<string, (question: Question) => object | Promise<object>>>;

/** An answer that is JSON already. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A server's answer to `stop`. */
export interface StopAnswer {
  readonly pid: number;
}

/** An app server's answer to `order`: by which it goes. */
export interface OrderAnswer {
  readonly order: string;
}

/** A server's answer to `holding`: that it stays only for sessions that it can't save (yet), or nothing. */
export type HoldingAnswer = Partial<StopCheck>;

/** An app server's answer to `register-check` and `register-move`, when nothing is in the way. */
export interface MoveAnswer {
  /** The register is in the engine that the file names. */
  readonly hasMoved: boolean;
}

/** What a server does when it is asked to. */
export interface Actions {
  stop(force: boolean): void;
  /** Likewise, to be started again by whoever keeps it running. */
  readonly restart?: () => void;
}

/** A server's answer to `restart`: which process ends now. */
export interface RestartAnswer extends StopAnswer {
  readonly incarnation: string;
}

/** For a server's cluster port. `actions.stop` begins the same drain as SIGTERM; it is called once answered. @param more it knows, too. */
export function adminService(member: Member, actions: Actions, more: Answers = {}): StreamService {
  return answerQuestions({ ...serverAnswers(member, actions), ...more });
}

/** The questions that every server knows. */
export function serverAnswers(member: Member, actions: Actions): Answers {
  return {
    restart: (): RestartAnswer => {
      const { name } = member.server;
      if (actions.restart === undefined || !member.isKeptRunning)
        throw new FlotillaError("FLOTILLA_RESTART_REFUSED", notRestartable(name), { source: "client" });
      onceAnswered(actions.restart);
      return { pid: process.pid, incarnation: member.incarnation };
    },
    status: (): MemberStatus => member.status(),
    "stop-check": ({ servers = [] }): StopCheck => member.holding?.() ?? member.stopCheck(servers),
    holding: (): HoldingAnswer => member.holding?.() ?? {},
    reload: ({ path }): ReloadAnswer => compareWithStarted(member, path),
    order: ({ content }): OrderAnswer => {
      member.hearOrder(content);
      return { order: member.order };
    },
    "register-check": () => answerOfMove(member, (move) => move.check()),
    "register-move": () => answerOfMove(member, (move) => move.run()),
    stop: ({ force = false }): StopAnswer => {
      onceAnswered(() => actions.stop(force));
      return { pid: process.pid };
    },
  };
}

async function answerOfMove(
  { server, register }: Member,
  act: (move: NonNullable<RegisterView["move"]>) => Promise<void>,
): Promise<MoveAnswer> {
  const move = register?.move ?? null;
  if (move === null)
    throw new FlotillaError(
      "FLOTILLA_MOVE_REFUSED",
      `${server.name} was started with another file, or keeps no sessions: restart it with the one that says "from: members"`,
      { source: "client" },
    );
  await act(move);
  return { hasMoved: move.isDone };
}

export function answerQuestions(answers: Answers): StreamService {
  return {
    onStream(stream: LinkStream, meta: string, ended: boolean): StreamHandler {
      if (!ended) return new LongQuestion((content) => give(stream, answer(answers, meta, content)));
      give(stream, answer(answers, meta, null));
      return questionHandler;
    },
  };
}

function give(stream: LinkStream, given: object | Promise<object>): void {
  const send = (one: object): void => {
    stream.write(one instanceof JsonText ? one.text : JSON.stringify(one), "utf8");
    stream.end();
  };
  if (given instanceof Promise) given.then(send, (thrown) => send({ error: messageOf(thrown) }));
  else send(given);
}

/** The answer leaves in this turn of the event loop; a drain may close the link in its first. */
function onceAnswered(act: () => void): void {
  setImmediate(() => setImmediate(act));
}

/** A sentence about a server that nobody would start again. */
export function notRestartable(name: string): string {
  return (
    `${name} was not started by \`run:\`, so nobody would start it again: restart it by whatever started it, between ` +
    `flotilla drain ${name} --wait and flotilla ready ${name}`
  );
}

/** One whose content comes as data. */
class LongQuestion implements StreamHandler {
  readonly #asked: (content: string) => void;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(asked: (content: string) => void) {
    this.#asked = asked;
  }

  onData(stream: LinkStream, bytes: Buffer): void {
    this.#length += bytes.length;
    if (this.#length > limits.contentBytesMax) {
      this.#chunks = [];
      stream.reset(ResetCode.refused, `a question has at most ${limits.contentBytesMax} bytes`);
      return;
    }
    // A copy: the bytes are ours only during the call.
    this.#chunks.push(Buffer.from(bytes));
    stream.consumed(bytes.length);
  }

  onEnd(): void {
    const content = Buffer.concat(this.#chunks).toString("utf8");
    this.#chunks = [];
    this.#asked(content);
  }

  onReset(): void {
    this.#chunks = [];
  }

  onDrain(): void {}
}

/** Of a question that came whole. */
const questionHandler: StreamHandler = {
  onData: (stream, bytes) => stream.consumed(bytes.length),
  onEnd: () => {},
  onReset: () => {},
  onDrain: () => {},
};

/** @param content that came as data; null: none did. */
function answer(answers: Answers, meta: string, content: string | null): object | Promise<object> {
  try {
    const asked = parseQuestion(meta);
    const question = content === null ? asked : { ...asked, content: JSON.parse(content) as unknown };
    if (!Object.hasOwn(answers, question.ask)) {
      const known = Object.keys(answers).join(", ");
      return {
        error: `this server does not know the question ${JSON.stringify(question.ask)}; it knows ${known}`,
      };
    }
    return answers[question.ask]!(question);
  } catch (thrown) {
    return { error: messageOf(thrown) };
  }
}

function parseQuestion(meta: string): Question {
  if (meta.length > limits.questionBytesMax)
    throw new Error(`a question has at most ${limits.questionBytesMax} bytes`);
  const value: unknown = JSON.parse(meta);
  const question = value as Partial<Question> | null;
  if (typeof question !== "object" || question === null || typeof question.ask !== "string")
    throw new Error('a question is an object with "ask"');
  const { ask, servers, path, content } = question;
  const rest = {
    ...(question.force === true ? { force: true } : {}),
    ...(content === undefined ? {} : { content }),
  };
  if (typeof path === "string") return { ask, path };
  if (servers === undefined) return { ask, ...rest };
  if (!Array.isArray(servers) || !servers.every((name) => typeof name === "string"))
    throw new Error('"servers" is a list of names');
  return { ask, servers, ...rest };
}
