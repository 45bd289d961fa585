/**
 * What a lenient server or browser behind or in front of us would make of a stream of bytes: Node's own parser
 * (llhttp) with all its leniencies switched on, as `insecureHTTPParser` does.
 */

export interface LenientMessage {
  /** Of a request, else "". */
  readonly method: string;
  readonly target: string;
  /** Of an answer, else 0. */
  readonly status: number;
  readonly versionMinor: number;
  /** Name, value, name, value, ... as sent. */
  readonly fields: readonly string[];
  body: string;
  /** Name, value, ... behind the last chunk. */
  trailer: string[];
  /** Its end was seen. */
  whole: boolean;
  /** Asks for another protocol: a server that agrees would read no further requests. */
  readonly upgrade: boolean;
}

interface Parser {
  initialize(type: number, resource: object, headerBytesMax: number, leniency: number): void;
  execute(bytes: Buffer): number | (Error & { code: string });
  finish(): undefined | (Error & { code: string });
  [callback: number]: (...args: never[]) => unknown;
}

const { HTTPParser, methods } = process.getBuiltinModule("_http_common") as unknown as {
  HTTPParser: { new (): Parser } & Readonly<Record<string, number>>;
  methods: readonly string[];
};

export class LenientReader {
  readonly messages: LenientMessage[] = [];
  /** llhttp's code of what it could not read, or "". */
  error = "";
  readonly #parser: Parser;
  readonly #onWhole: (message: LenientMessage) => void;
  readonly #headOnly: boolean;
  #fields: string[] = [];
  #target = "";
  #current: LenientMessage | null = null;

  /** @param onWhole called when a message has ended. @param headOnly the answers are to HEAD, and have no body. */
  constructor(
    kind: "request" | "answer",
    onWhole: (message: LenientMessage) => void = () => {},
    headOnly: boolean = false,
  ) {
    this.#onWhole = onWhole;
    this.#headOnly = headOnly;
    const parser = new HTTPParser();
    this.#parser = parser;
    parser.initialize(
      kind === "request" ? HTTPParser.REQUEST! : HTTPParser.RESPONSE!,
      {},
      0,
      HTTPParser.kLenientAll!,
    );
    parser[HTTPParser.kOnMessageBegin!] = () => {
      this.#fields = [];
      this.#target = "";
      this.#current = null;
    };
    parser[HTTPParser.kOnHeaders!] = (fields: string[], target: string) => {
      this.#fields.push(...fields);
      this.#target += target;
    };
    parser[HTTPParser.kOnHeadersComplete!] = (
      _major: number,
      minor: number,
      fields: string[] | undefined,
      method: number,
      target: string | undefined,
      status: number | undefined,
      _reason: string,
      upgrade: boolean,
    ) => this.#headersComplete(minor, fields, method, target, status, upgrade);
    parser[HTTPParser.kOnBody!] = (bytes: Buffer) => {
      this.#current!.body += bytes.toString("latin1");
    };
    parser[HTTPParser.kOnMessageComplete!] = () => {
      const message = this.#current!;
      message.trailer = this.#fields.splice(0);
      message.whole = true;
      this.#onWhole(message);
    };
  }

  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.error === ""; ) {
      const used = this.#parser.execute(at === 0 ? bytes : bytes.subarray(at));
      if (typeof used !== "number") this.error = used.code;
      // Behind an upgrade it stops; here it reads on, as if the upgrade had been declined.
      else at += Math.max(1, used);
    }
  }

  /** The connection ended. */
  end(): void {
    if (this.error !== "") return;
    const error = this.#parser.finish();
    if (error instanceof Error) this.error = error.code;
  }

  #headersComplete(
    versionMinor: number,
    fields: string[] | undefined,
    method: number,
    target: string | undefined,
    status: number | undefined,
    upgrade: boolean,
  ): number {
    this.#current = {
      method: status === undefined ? (methods[method] ?? "QUERY") : "",
      target: target ?? this.#target,
      status: status ?? 0,
      versionMinor,
      fields: fields ?? this.#fields.splice(0),
      body: "",
      trailer: [],
      whole: false,
      upgrade,
    };
    this.#fields = [];
    this.messages.push(this.#current);
    return this.#headOnly ? 1 : 0;
  }
}

/** All that such a reader finds in these bytes, when the connection ends behind them. */
export function readLeniently(
  kind: "request" | "answer",
  bytes: string,
  headOnly: boolean = false,
): LenientReader {
  const reader = new LenientReader(kind, undefined, headOnly);
  reader.push(Buffer.from(bytes, "latin1"));
  reader.end();
  return reader;
}
