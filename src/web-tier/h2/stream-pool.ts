/** What belongs to one request in HTTP/2, used for one stream after the other of any connection of a listener. */
import { http2 as limits } from "../../support/limits.ts";
import type { Site } from "../site.ts";
import { StreamClient } from "./stream-client.ts";

export class StreamPool {
  readonly #site: Site;
  readonly #spare: StreamClient[] = [];

  constructor(site: Site) {
    this.#site = site;
  }

  take(): StreamClient {
    return this.#spare.pop() ?? new StreamClient(this.#site);
  }

  give(client: StreamClient): void {
    if (this.#spare.length < limits.spareStreamsMax) this.#spare.push(client);
  }
}
