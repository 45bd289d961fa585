/** The sockets of one server that live: for closing them all, and for closing the finished ones once per turn. */

import type { LinkStream } from "../link/api.ts";

/** What the list needs of a socket. */
export interface ListedSocket {
  /** Neighbours in the list. */
  previous: ListedSocket | null;
  next: ListedSocket | null;
  /** The turn in which it was to close is over. */
  close(): void;
  destroy(): unknown;
}

export class SocketList {
  #first: ListedSocket | null = null;
  #finished: ListedSocket[] = [];
  #size = 0;
  /** Sockets whose answer is not complete yet. */
  answering = 0;
  /** Told of each answer when its last byte is written, or will not be. */
  onAnswered: (stream: LinkStream) => void = () => {};
  #onEmpty: (() => void) | null = null;

  get size(): number {
    return this.#size;
  }

  add(socket: ListedSocket): void {
    this.#size++;
    this.answering++;
    socket.next = this.#first;
    if (this.#first !== null) this.#first.previous = socket;
    this.#first = socket;
  }

  remove(socket: ListedSocket): void {
    this.#size--;
    if (socket.previous === null) this.#first = socket.next;
    else socket.previous.next = socket.next;
    if (socket.next !== null) socket.next.previous = socket.previous;
    socket.previous = null;
    socket.next = null;
    if (this.#size === 0) this.#onEmpty?.();
  }

  answered(stream: LinkStream): void {
    this.answering--;
    this.onAnswered(stream);
  }

  /** Resolves when the last socket is gone. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#size === 0) resolve();
      else this.#onEmpty = resolve;
    });
  }

  /**
   * `close` of a socket comes after all ticks of its turn, as that of a real one (whose handle closes in the last
   * phase of the event loop): after `close` of its response. One immediate for all sockets of a turn.
   */
  closeLater(socket: ListedSocket): void {
    if (this.#finished.length === 0) setImmediate(closeFinished, this);
    this.#finished.push(socket);
  }

  closeFinished(): void {
    const finished = this.#finished;
    this.#finished = [];
    for (const socket of finished) socket.close();
  }

  destroyAll(): void {
    let socket = this.#first;
    while (socket !== null) {
      const next: ListedSocket | null = socket.next;
      socket.destroy();
      socket = next;
    }
  }
}

function closeFinished(list: SocketList): void {
  list.closeFinished();
}
