/** Reads HTTP/1.1 answers as they come, for both ways of a trace test. Lenient where it does not matter; not a model. */

export interface Answer {
  /** Interim answers, each as its status line and fields. */
  readonly interim: readonly string[];
  readonly status: string;
  /** Without those which differ from run to run (Date) or belong to the connection to a browser (Keep-Alive). */
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** "complete", or "cut": the connection ended within the answer, or before it. */
  readonly end: "complete" | "cut";
}

type Framing = "none" | "length" | "chunked" | "close" | "tunnel";

export class AnswerReader {
  readonly #method: string;
  #rest: Buffer = Buffer.alloc(0);
  #framing: Framing | null = null;
  #lengthLeft = 0;
  readonly #interim: string[] = [];
  #status = "";
  #fields: string[] = [];
  readonly #body: Buffer[] = [];
  bodyBytes = 0;
  #trailers: string[] = [];
  #complete = false;

  constructor(method: string) {
    this.#method = method;
  }

  get headSeen(): boolean {
    return this.#framing !== null;
  }

  get interimCount(): number {
    return this.#interim.length;
  }

  get complete(): boolean {
    return this.#complete;
  }

  /** Bytes after a 101. */
  takeTunnel(): Buffer {
    const bytes = this.#rest;
    this.#rest = Buffer.alloc(0);
    return bytes;
  }

  read(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    while (this.#framing === null && this.#readHead()) {}
    if (this.#framing === "length" || this.#framing === "close") this.#takeBody();
    if (this.#framing === "chunked") while (!this.#complete && this.#readChunk()) {}
  }

  /** The connection ended. */
  ended(): void {
    if (this.#framing === "close") this.#complete = true;
  }

  answer(): Answer {
    return {
      interim: this.#interim,
      status: this.#status,
      fields: this.#fields,
      body: Buffer.concat(this.#body).toString("latin1"),
      trailers: this.#trailers,
      end: this.#complete ? "complete" : "cut",
    };
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const [status = "", ...fields] = this.#rest.toString("latin1", 0, end).split("\r\n");
    this.#rest = this.#rest.subarray(end + 4);
    const code = Number(status.split(" ")[1]);
    if (code >= 100 && code < 200 && code !== 101) {
      this.#interim.push([status, ...fields].join(" | "));
      return true;
    }
    this.#status = status;
    this.#fields = fields.filter((field) => !/^(date|keep-alive):/i.test(field));
    this.#frame(code, fields);
    return false;
  }

  #frame(code: number, fields: readonly string[]): void {
    const length = fields.find((field) => /^content-length:/i.test(field));
    if (code === 101) this.#framing = "tunnel";
    else if (this.#method === "HEAD" || code === 204 || code === 304) this.#framing = "none";
    else if (fields.some((field) => /^transfer-encoding:.*chunked/i.test(field))) this.#framing = "chunked";
    else if (length !== undefined) {
      this.#framing = "length";
      this.#lengthLeft = Number(length.slice(15));
    } else this.#framing = "close";
    if (this.#framing === "none" || (this.#framing === "length" && this.#lengthLeft === 0))
      this.#complete = true;
  }

  #takeBody(): void {
    this.#keep(this.#rest);
    this.#lengthLeft -= this.#rest.length;
    this.#rest = Buffer.alloc(0);
    if (this.#framing === "length" && this.#lengthLeft <= 0) this.#complete = true;
  }

  #readChunk(): boolean {
    const lineEnd = this.#rest.indexOf("\r\n");
    if (lineEnd < 0) return false;
    const size = Number.parseInt(this.#rest.toString("latin1", 0, lineEnd), 16);
    if (Number.isNaN(size)) throw new Error(`no chunk size: ${this.#rest.toString("latin1", 0, 40)}`);
    if (size === 0) {
      const end = this.#rest.indexOf("\r\n\r\n", lineEnd);
      if (end < 0) return false;
      this.#trailers = this.#rest
        .toString("latin1", lineEnd, end)
        .split("\r\n")
        .filter((line) => line !== "");
      this.#complete = true;
      return false;
    }
    const chunkEnd = lineEnd + 2 + size + 2;
    if (this.#rest.length < chunkEnd) return false;
    this.#keep(this.#rest.subarray(lineEnd + 2, chunkEnd - 2));
    this.#rest = this.#rest.subarray(chunkEnd);
    return true;
  }

  #keep(bytes: Buffer): void {
    this.#body.push(bytes);
    this.bodyBytes += bytes.length;
  }
}
