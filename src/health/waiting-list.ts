/** The requests of one app server that wait for the head of their answer: an intrusive list, no allocation per request. */

/** A request on its way. Whoever sends it is in one list at a time. */
export interface Waiting {
  /** Since when its answer is up to the server, as of `performance.now()`; 0 while it has no connection, or its body is still coming. */
  readonly awaitedSinceMs: number;
  /** The server answers nobody any more: it may move to another one. */
  onSilent(): void;
  nextWaiting: Waiting | null;
  previousWaiting: Waiting | null;
}

export class WaitingList {
  /** The one that was sent first. */
  first: Waiting | null = null;
  #last: Waiting | null = null;

  add(request: Waiting): void {
    request.nextWaiting = null;
    request.previousWaiting = this.#last;
    if (this.#last === null) this.first = request;
    else this.#last.nextWaiting = request;
    this.#last = request;
  }

  /** One that is not in it, any more, stays as it is. */
  remove(request: Waiting): void {
    const { nextWaiting, previousWaiting } = request;
    if (previousWaiting !== null) previousWaiting.nextWaiting = nextWaiting;
    else if (this.first === request) this.first = nextWaiting;
    else return;
    if (nextWaiting !== null) nextWaiting.previousWaiting = previousWaiting;
    else this.#last = previousWaiting;
    request.nextWaiting = request.previousWaiting = null;
  }

  hasSentBefore(timeMs: number): boolean {
    return this.first !== null && this.first.awaitedSinceMs < timeMs;
  }

  /**
   * Calls `onSilent` of each that was sent before this time, the last one first, and not of `spared`. A request that moves away
   * leaves the list during the walk.
   */
  tellSilent(spared: Waiting | null, timeMs: number): void {
    let request = this.#last;
    while (request !== null) {
      const previous: Waiting | null = request.previousWaiting;
      if (request !== spared && request.awaitedSinceMs < timeMs) request.onSilent();
      request = previous;
    }
  }
}
