/** Servers that would keep sessions together with this one, which does not, because they have another file: both tell of it. */
import { type LinkStream, ResetCode, StreamKind, type StreamService } from "../link/api.ts";
import { session as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { SeldomEach } from "../support/seldom.ts";

export class RefusedPeers implements StreamService {
  readonly #where: () => string;
  readonly #log: Log;
  readonly #told: SeldomEach = new SeldomEach(limits.complaintIntervalMs);

  /** @param where this server keeps them: "alone", "in Redis at 10.0.0.5:6379". */
  constructor(where: () => string, log: Log) {
    this.#where = where;
    this.#log = log;
  }

  /** For the cluster port. */
  get services(): ReadonlyMap<StreamKind, StreamService> {
    return new Map([[StreamKind.session, this]]);
  }

  onStream(stream: LinkStream): null {
    const { name } = stream.link.peer;
    if (this.#told.add(name) > 0)
      this.#log.error(
        { code: "FLOTILLA_SESSIONS_MIXED" },
        `${name} keeps sessions on two servers, this one keeps them ${this.#where()}: visitors who are sent from one to the other lose ` +
          'theirs. Give all app servers the same file ("sessions:"), and restart those that had another one',
      );
    stream.reset(ResetCode.refused, `it keeps its sessions ${this.#where()}`);
    return null;
  }
}
