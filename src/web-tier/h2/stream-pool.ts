/** What the HTTP/2 connections of a listener share: what belongs to one request, used for one stream after the other; and complaints. */
import { http2 as limits } from "../../support/limits.ts";
import { Seldom } from "../../support/seldom.ts";
import type { Site } from "../site.ts";
import { StreamClient } from "./stream-client.ts";

export class StreamPool {
  readonly #site: Site;
  readonly #spare: StreamClient[] = [];
  readonly #floods = new Seldom(limits.complaintIntervalMs);

  constructor(site: Site) {
    this.#site = site;
  }

  take(): StreamClient {
    return this.#spare.pop() ?? new StreamClient(this.#site);
  }

  give(client: StreamClient): void {
    if (this.#spare.length < limits.spareStreamsMax) this.#spare.push(client);
  }

  /** Tells the operator that a connection was closed; who opens many does not fill the log. */
  tellFlood(address: string, what: string): void {
    const times = this.#floods.add();
    if (times === 0) return;
    const before = times > 1 ? ` (${times} connections like it since the last such line)` : "";
    this.#site.log.warn(`${address} ${what} too often on an HTTP/2 connection: closed${before}`);
  }
}
