/**
 * Questions to etcd by its JSON gateway (/v3, on its client port since 3.4): one server at a time, the next one after a
 * failure. https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/
 */
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { EtcdSettings } from "../../config/model.ts";
import { afterAwake, systemClock, type Timer } from "../../support/clock.ts";
import { codeOf, type FlotillaError, messageOf } from "../../support/errors.ts";
import { etcd as limits, register } from "../../support/limits.ts";
import { seconds } from "../../support/words.ts";
import { unreachable } from "../unreachable.ts";
import { Fields } from "./fields.ts";

export interface EtcdStream {
  /** The endpoint that it was opened to. */
  readonly endpoint: string;
  close(): void;
}

interface StreamEvents {
  readonly onMessage: (message: Fields) => void;
  /** Once; not after `close`. */
  readonly onEnd: () => void;
}

/** An answer that is an error: of etcd itself, or of what is in front of it. */
class Refusal extends Error {
  readonly status: number;
  /** Of gRPC; null: it is not etcd's. */
  readonly code: number | null;

  constructor(status: number, code: number | null, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Wrong, forbidden, full, or of nobody: codes of gRPC with which etcd answers what it has not done and won't do. */
const refusals: ReadonlySet<number> = new Set([3, 7, 8, 9, 16]);

/** @param cause of an error of `ask`. @returns whether what was asked was not done, and never will be. */
export function wasRefused(cause: unknown): boolean {
  if (cause instanceof Refusal)
    return cause.code !== null && refusals.has(cause.code) && cause.message.startsWith("etcdserver:");
  return cause instanceof Error && codeOf(cause.cause) === "ECONNREFUSED";
}

export class EtcdClient {
  readonly #settings: EtcdSettings;
  readonly #tls: https.AgentOptions;
  readonly #agents: readonly http.Agent[];
  /** What went wrong last, by endpoint; those that answered since are not in it. */
  readonly #failures: Map<string, string> = new Map();
  #current = 0;
  #token: string | null = null;

  /** @throws the system's error when a file of `tls:` can't be read, or does not hold what it should. */
  constructor(settings: EtcdSettings) {
    this.#settings = settings;
    this.#tls = tlsOptions(settings);
    const options = { keepAlive: true, maxSockets: limits.socketsMax, ...this.#tls };
    this.#agents = settings.endpoints.map((endpoint) =>
      isTls(endpoint) ? new https.Agent(options) : new http.Agent(options),
    );
  }

  /** Where the next question goes. */
  get endpoint(): string {
    return this.#settings.endpoints[this.#current]!;
  }

  /** @throws FlotillaError FLOTILLA_REGISTER_UNREACHABLE */
  async ask(path: string, question: object, timeoutMs: number): Promise<Fields> {
    const at = this.#current;
    const untilMs = systemClock.now() + timeoutMs;
    try {
      const answer = await this.#askWithToken(at, path, question, untilMs);
      this.#failures.delete(this.#settings.endpoints[at]!);
      return answer;
    } catch (error) {
      throw this.#failed(at, error);
    }
  }

  /** One message per line, until either side ends it. The token is the one of the last question. */
  stream(path: string, question: object, { onMessage, onEnd }: StreamEvents): EtcdStream {
    const at = this.#current;
    const endpoint = this.#settings.endpoints[at]!;
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      request.destroy();
      onEnd();
    };
    const request = this.#open(at, path, false);
    request.once("error", end);
    request.once("response", (response: http.IncomingMessage) => {
      if (response.statusCode !== 200) {
        end();
        return;
      }
      const lines = new Lines((line) => {
        if (!isOver) onMessage(Fields.parse(line));
      });
      response.on("data", (part: Buffer) => {
        try {
          lines.add(part);
        } catch {
          end();
        }
      });
      response.once("close", end);
    });
    request.end(JSON.stringify(question));
    return {
      endpoint,
      close() {
        isOver = true;
        request.destroy();
      },
    };
  }

  close(): void {
    for (const agent of this.#agents) agent.destroy();
  }

  /** The next question goes to the next server. @returns what all of them said last. */
  #failed(at: number, error: unknown): FlotillaError {
    const { endpoints } = this.#settings;
    if (this.#current === at) this.#current = (at + 1) % endpoints.length;
    const endpoint = endpoints[at]!;
    this.#failures.delete(endpoint);
    this.#failures.set(endpoint, messageOf(error));
    const said = [...this.#failures].map(([each, what]) => `${each}: ${what}`).join("; ");
    return unreachable(`etcd does not answer as it should: ${said}${adviceFor(messageOf(error))}`, error);
  }

  async #askWithToken(at: number, path: string, question: object, untilMs: number): Promise<Fields> {
    const { user } = this.#settings;
    if (user === null) return await this.#post(at, path, question, untilMs);
    const isFresh = this.#token === null;
    if (isFresh) this.#token = await this.#authenticate(at, untilMs);
    try {
      return await this.#post(at, path, question, untilMs);
    } catch (error) {
      if (!(error instanceof Refusal) || !isTokenTrouble(error)) throw error;
      this.#token = null;
      if (isFresh) throw error;
    }
    // It has ended, as they do after some minutes, or etcd was restarted: nothing was done with it.
    this.#token = await this.#authenticate(at, untilMs);
    return await this.#post(at, path, question, untilMs);
  }

  async #authenticate(at: number, untilMs: number): Promise<string> {
    const { user, password } = this.#settings;
    const answer = await this.#post(at, "/v3/auth/authenticate", { name: user, password }, untilMs);
    return answer.text("token", limits.tokenBytesMax);
  }

  #post(at: number, path: string, question: object, untilMs: number): Promise<Fields> {
    const timeoutMs = Math.max(1, untilMs - systemClock.now());
    return new Promise((resolve, reject) => {
      const request = this.#open(at, path, true);
      let timer: Timer | null = afterAwake(systemClock, timeoutMs, register.awakeStepMs, () =>
        fail(`no answer in ${seconds(Math.round(timeoutMs))}`),
      );
      const end = (settle: () => void): void => {
        if (timer === null) return;
        timer.cancel();
        timer = null;
        settle();
      };
      const fail = (message: string, cause?: Error): void =>
        end(() => {
          reject(new Error(message, { cause }));
          request.destroy();
        });
      request.on("error", (error) => fail(failureInWords(error), error));
      request.once("response", (response: http.IncomingMessage) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          body += part;
          if (body.length > limits.answerBytesMax)
            fail(`its answer is longer than ${limits.answerBytesMax} bytes`);
        });
        response.once("error", (error) => fail(failureInWords(error), error));
        response.once("close", () => fail("its answer ended too early"));
        response.once("end", () =>
          end(() => {
            try {
              resolve(readAnswer(response.statusCode!, body));
            } catch (error) {
              reject(error);
            }
          }),
        );
      });
      request.end(JSON.stringify(question));
    });
  }

  #open(at: number, path: string, isShared: boolean): http.ClientRequest {
    const url = new URL(path, this.#settings.endpoints[at]!);
    const headers: http.OutgoingHttpHeaders = { "content-type": "application/json" };
    if (this.#token !== null && path !== "/v3/auth/authenticate") headers.authorization = this.#token;
    const options = { method: "POST", headers, agent: isShared ? this.#agents[at]! : false };
    return isTls(url.href) ? https.request(url, { ...options, ...this.#tls }) : http.request(url, options);
  }
}

function isTls(url: string): boolean {
  return url.startsWith("https:");
}

function tlsOptions({ tls }: EtcdSettings): https.AgentOptions {
  if (tls === null) return {};
  const read = (path: string | null): string | undefined =>
    path === null ? undefined : readFileSync(path, "utf8");
  const { serverName } = tls;
  return {
    ca: read(tls.caPath),
    cert: read(tls.certificate?.certPath ?? null),
    key: read(tls.certificate?.keyPath ?? null),
    ...(serverName === null ? {} : { servername: serverName }),
  };
}

function readAnswer(status: number, body: string): Fields {
  if (status === 200) return Fields.parse(body);
  let what = "";
  let code: number | null = null;
  try {
    const fields = Fields.parse(body);
    what = fields.words("error");
    code = fields.small("code");
  } catch {
    // Of something else than etcd.
  }
  throw new Refusal(status, code, what === "" ? `it answered with status ${status}, not as etcd does` : what);
}

function isTokenTrouble({ status, message }: Refusal): boolean {
  return status === 401 || /invalid auth token|user name is empty/.test(message);
}

const failures: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "no way to this address",
  ENETUNREACH: "no way to this address",
  ETIMEDOUT: "no answer",
  ENOTFOUND: "this name does not exist",
  EAI_AGAIN: "this name can't be looked up now",
};

function failureInWords(error: Error): string {
  return failures[codeOf(error)] ?? error.message;
}

/** What to do about it, by the words of etcd or of the system. */
const advice: readonly (readonly [RegExp, string])[] = [
  [/invalid user ID or password|authentication failed/, "see user: and password: of coordination:"],
  [/authentication is not enabled/, "it knows no users: leave out user: and password: of coordination:"],
  [/user name is empty|user name not found/, "it wants user: and password: in coordination:"],
  [/permission denied/, "grant the user readwrite on the keys below prefix: of coordination:"],
  [/space exceeded/, "compact and defragment it, then: etcdctl alarm disarm"],
  [/certificate|self.signed|altnames|SSL|TLS/i, "see tls: of coordination:"],
  [/no leader|leader changed|request timed out/, "too few of its servers reach each other"],
  [/not as etcd/, "is that its client port, of etcd 3.4 or newer?"],
];

function adviceFor(message: string): string {
  const found = advice.find(([words]) => words.test(message));
  return found === undefined ? "; start it, or mend the network to it" : `; ${found[1]}`;
}

/** Bytes to lines, of bounded length. */
class Lines {
  readonly #onLine: (line: string) => void;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** @throws when a line is too long. */
  add(part: Buffer): void {
    let rest = part;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = Buffer.concat([...this.#parts, rest.subarray(0, end)]).toString("utf8");
      this.#parts = [];
      this.#bytes = 0;
      rest = rest.subarray(end + 1);
      if (line !== "") this.#onLine(line);
    }
    if (rest.length === 0) return;
    this.#parts.push(rest);
    this.#bytes += rest.length;
    if (this.#bytes > limits.answerBytesMax) throw new RangeError("the line is too long");
  }
}
