/**
 * `;jsessionid=` at the end of a path (R21): for operators and tests that want a certain server. It chooses a server and nothing
 * else: it ends here, so that no application and no log ever takes a session from a URL, which is copied, bookmarked and sent around.
 */
import type { BlockList } from "node:net";
import type { Route } from "../config/model.ts";
import { canonicalPath } from "../http/canonical.ts";
import type { RequestHead } from "../http/request-head.ts";
import { inNetworks } from "./networks.ts";
import type { RoutedHead } from "./route-tests.ts";
import type { RoutedRequest } from "./routed-request.ts";

const name = ";jsessionid=";
/** In the last segment only: elsewhere a parameter is data of the application's. */
const parameter = /;jsessionid=([A-Za-z0-9._-]{0,128})(?=;|$)/;

interface RoutesWithIds<Found> {
  readonly routes: { find(head: RoutedHead, address: string): Found | null };
  /** Clients whose ids choose a server. */
  readonly sessionIdNetworks: BlockList;
}

export function mayHaveSessionId(path: string): boolean {
  return path.includes(name);
}

/** The request's route. Of routes that do not take session ids, one is a part of the path. */
export function routeWithSessionId<Found extends { readonly source: Route }>(
  { routes, sessionIdNetworks }: RoutesWithIds<Found>,
  head: RequestHead,
  request: RoutedRequest,
): Found | null {
  const { target, path } = head;
  const id = takeSessionId(head);
  if (id !== null) {
    const route = routes.find(head, request.client);
    if (route?.source.sessionIdInPath) {
      request.begin(request.client);
      if (inNetworks(sessionIdNetworks, request.client)) request.sessionId = id;
      return route;
    }
    head.target = target;
    head.path = path;
  }
  return routes.find(head, request.client);
}

/**
 * Takes the parameter out of path and target.
 * @returns the id, or null: there is none, and the head is as it was.
 */
function takeSessionId(head: RequestHead): string | null {
  const { path } = head;
  const segment = path.lastIndexOf("/");
  const found = parameter.exec(path.slice(segment));
  if (found === null) return null;
  const at = segment + found.index;
  const without = path.slice(0, at) + path.slice(at + found[0].length);
  // What would be another path without it (a dot segment comes to light) stays what it is (A21).
  if (canonicalPath(without) !== without) return null;
  head.target = without + head.target.slice(path.length);
  head.path = without;
  return found[1]!;
}
