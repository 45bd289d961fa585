/**
 * `compat: true`: the request becomes HTTP/1.1 text again and Node's own parser reads it from a Duplex, which is
 * Node's documented way in (`server.emit("connection", duplex)`). Slower by that text and that parser; for an
 * application that depends on something the virtual socket does not have.
 */
import type { LinkStream } from "../link/api.ts";
import { LinkDuplex } from "./link-duplex.ts";
import type { NodeServer } from "./node-internals.ts";

export class CompatConnection extends LinkDuplex {
  override readonly parsed: boolean = true;
  readonly #chunked: boolean;

  constructor(
    stream: LinkStream,
    head: readonly string[],
    fields: readonly string[],
    ended: boolean,
    server: NodeServer,
  ) {
    super(stream, head, server);
    server._connections++;
    this.#chunked = fieldOf(fields, "transfer-encoding") !== null;
    this.enter(() => {
      this.push(requestText(head, fields), "latin1");
      server.emit("connection", this);
    });
    if (ended) this.onEnd(stream, "");
  }

  protected override receive(bytes: Buffer): boolean {
    if (!this.#chunked) return this.push(bytes);
    this.push(`${bytes.length.toString(16)}\r\n`, "latin1");
    this.push(bytes);
    return this.push("\r\n", "latin1");
  }

  /** The end of the body is told by its framing; an `end` would make Node close before it has answered. */
  protected override receiveEnd(trailer: string): void {
    if (!this.#chunked) return;
    const fields = trailer === "" ? [] : trailer.split("\n");
    this.push(`0\r\n${fieldLines(fields)}\r\n`, "latin1");
  }
}

/** Node closes after the answer, because of `Connection: close`, and thereby ends the stream. */
function requestText(head: readonly string[], fields: readonly string[]): string {
  const close = head[8] === "u" ? "" : "Connection: close\r\n";
  const version = head[2] === "1.0" ? "1.0" : "1.1";
  return `${head[0]} ${head[1]} HTTP/${version}\r\n${fieldLines(fields)}${close}\r\n`;
}

function fieldLines(fields: readonly string[]): string {
  let text = "";
  for (let index = 0; index < fields.length; index += 2) text += `${fields[index]}: ${fields[index + 1]}\r\n`;
  return text;
}

function fieldOf(fields: readonly string[], name: string): string | null {
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index]!.toLowerCase() === name) return fields[index + 1]!;
  }
  return null;
}
