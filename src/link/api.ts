/**
 * What the rest of Flotilla sees of the cluster port: streams between two servers. A stream begins with one
 * piece of metadata (text), carries bytes in both directions under credit, may end with metadata, and each
 * direction ends on its own (half-close) or both at once (reset). The link knows nothing of HTTP or sessions.
 *
 * No promises, events or closures per stream: the user of a stream is one object with four methods.
 */

/** What a stream is for; the first byte of its opening frame. A peer refuses a kind it does not serve. */
export const StreamKind = { http: 1, admin: 2, session: 3, register: 4, load: 5 } as const;
export type StreamKind = (typeof StreamKind)[keyof typeof StreamKind];

/** Why a stream was reset. Numbers are on the wire: never renumber. */
export const ResetCode = {
  /** The other side no longer wants the answer. */
  cancel: 1,
  /** Not one byte was acted upon: safe to send again elsewhere. */
  refused: 2,
  internal: 3,
  timeout: 4,
  protocol: 5,
  /** Never on the wire: the link itself ended while the stream was open. */
  linkLost: 6,
} as const;
export type ResetCode = (typeof ResetCode)[keyof typeof ResetCode];

/** One end of one stream, given to its user. */
export interface LinkStream {
  readonly id: number;
  readonly link: Link;
  /** Null until given by `open` or returned by a service. */
  handler: StreamHandler | null;
  /** True once our direction is ended or the stream is reset. */
  readonly closed: boolean;
  /** Bytes written and not yet handed to the socket: waiting for credit, for their turn or for the socket. */
  readonly pendingBytes: number;
  /**
   * Sends body bytes. They are copied or encoded before the call returns: the caller may reuse the buffer. After the
   * end of our direction, or of the stream, they go nowhere. Encoding of text: "utf8" when not given.
   * @returns false when the bytes have to wait: write no more until `onDrain`. (They are kept either way.)
   */
  write(data: Uint8Array | string, encoding?: "latin1" | "utf8"): boolean;
  /** Ends our direction, after what was written; `trailer` is metadata after the body, latin1, at most 60,000 bytes. */
  end(trailer?: string): void;
  /** Ends both directions at once; bytes that wait are dropped; our handler hears nothing more. */
  reset(code: ResetCode, message?: string): void;
  /** Gives the sender credit for bytes that `onData` delivered. Give each byte back once; more than that counts as all. */
  consumed(bytes: number): void;
}

/**
 * The user's end of a stream. Called in the async context in which the link was made, never in that of another
 * request. A handler that throws has its stream reset with `internal`; other streams do not notice.
 */
export interface StreamHandler {
  /** Body bytes. The view is valid only during the call. Call `stream.consumed` when they have gone on. */
  onData(stream: LinkStream, bytes: Buffer): void;
  /** The other side's direction ended. `trailer` is "" when it sent none. */
  onEnd(stream: LinkStream, trailer: string): void;
  /** Both directions are over, not by us. `linkLost` when the connection broke. Nothing follows. */
  onReset(stream: LinkStream, code: ResetCode, message: string): void;
  /** After `write` returned false: write on. */
  onDrain(stream: LinkStream): void;
}

/** Serves streams of one kind which the peer opens. */
export interface StreamService {
  /**
   * @param meta the opening metadata, latin1.
   * @param ended the peer sends no body (`onEnd` will not be called).
   * @returns the handler, or null after having reset the stream.
   */
  onStream(stream: LinkStream, meta: string, ended: boolean): StreamHandler | null;
}

export interface PeerIdentity {
  /** The server's name in the file, or "@cli" / "@supervisor..." for a tool that holds the key. */
  readonly name: string;
  /** Changes with every start of the process. */
  readonly incarnation: string;
  readonly pid: number;
  /** The protocol version both sides speak on this link. */
  readonly version: number;
}

/** One established connection between two servers, after the handshake. Either side opens streams. */
export interface Link {
  readonly peer: PeerIdentity;
  /** "host:port" of the other end. */
  readonly remote: string;
  /** Both directions work, and the peer has not announced that it goes away. */
  readonly usable: boolean;
  /** No byte came for `silentAfterMs`: give it nothing new. Ends by itself when the peer speaks again. */
  readonly silent: boolean;
  /** Longer for a while after a false alarm. */
  readonly silentAfterMs: number;
  readonly streamCount: number;
  /** Smoothed round trip of pings in milliseconds, or 0 before the first answer. */
  readonly roundTripMs: number;
  /**
   * Opens a stream. `meta` is latin1, at most 60,000 bytes (RangeError above). A wider character would be cut to its
   * low byte: the caller lets none in.
   * @param ended no body follows.
   * @param windowBytes how much of the answer the peer may send before `consumed`; default windowBytes of the limits.
   * @returns null when the link is not usable or too many streams are open: nothing was sent.
   */
  open(
    kind: StreamKind,
    meta: string,
    ended: boolean,
    handler: StreamHandler,
    windowBytes?: number,
  ): LinkStream | null;
  /** Tells the peer to open no more streams here; those that are open go on. */
  goAway(): void;
  /** Ends the connection; open streams get `linkLost`. */
  destroy(reason: string): void;
}

/** What changes on links are told to. */
export interface LinkObserver {
  onUp(link: Link): void;
  /** `silent` became true or false, or the peer announced that it goes away. */
  onChange(link: Link): void;
  onDown(link: Link, reason: string): void;
}
