/** What the request path needs of a browser's connection; HTTP/1.1 over TCP or TLS is one (client-connection.ts). */
import type { RequestHead } from "../http/request-head.ts";
import type { ClientOrigin } from "./forwarded.ts";

export interface Client {
  /** The request being answered; parsed anew only after `answered`. */
  readonly head: RequestHead;
  readonly origin: ClientOrigin;
  /** Sends text, latin1. @returns false when the client reads too slowly: `Exchange.clientDrained` follows. */
  writeText(text: string): boolean;
  /** Sends bytes, which are copied. @returns as `writeText`. */
  writeBytes(bytes: Buffer): boolean;
  /** Writes between `cork` and `uncork` leave as one. */
  cork(): void;
  uncork(): void;
  /** Stops or resumes reading the request's body. */
  holdRequestBody(hold: boolean): void;
  /** Bytes of the answer came: its deadline starts anew. */
  answerGoesOn(): void;
  /** May another request follow on this connection when this answer ends now? */
  readonly reusable: boolean;
  /** The answer is over. @param keepOpen as told to the client in the answer's head. */
  answered(keepOpen: boolean): void;
  /** From now on bytes pass untouched in both directions (after 101). */
  beginTunnel(): void;
  /** Ends our direction of the tunnel. */
  endTunnel(): void;
  /** Cuts the connection: the only way to say that an answer broke off. */
  destroy(): void;
}
