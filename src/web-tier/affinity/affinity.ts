/** How visitors are kept at one server where the application has no sessions of ours. One small file per way. */
import type { RoutedRequest } from "../routed-request.ts";
import { mayWaitAt, type Upstream } from "../upstream.ts";

/** For the servers of one cluster, in one process of a web server. */
export interface Affinity {
  /**
   * The server at which who asks is kept.
   * @param tried a server that failed the request already, or null.
   * @returns null when nobody keeps him, or that server can't take the request: it goes where a new visitor's would.
   */
  keeper(request: RoutedRequest, tried: Upstream | null): Upstream | null;
  /** What the head of the answer needs so that he stays there: "Set-Cookie: ... CR LF", or "". */
  setCookie(request: RoutedRequest, answered: Upstream): string;
  /** The pool is in force, or operators want something else of its servers. */
  update(): void;
}

/** His session is there and nowhere else: he rather waits for a busy server than be sent to another one. */
export function canKeep(upstream: Upstream): boolean {
  return upstream.keeps || mayWaitAt(upstream);
}
