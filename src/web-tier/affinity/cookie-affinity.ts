/** `affinity: cookie`: a visitor stays at the server that his cookie names, and gets one when he has none that is right. */
import type { AffinitySettings } from "../../config/model.ts";
import type { RoutedRequest } from "../routed-request.ts";
import type { Upstream } from "../upstream.ts";
import { type Affinity, canKeep } from "./affinity.ts";
import { type RouteCookieKeys, RouteCookies } from "./route-cookies.ts";

export class CookieAffinity implements Affinity {
  readonly #upstreams: readonly Upstream[];
  readonly #cookies: RouteCookies;

  constructor(settings: AffinitySettings, upstreams: readonly Upstream[], keys: RouteCookieKeys) {
    this.#upstreams = upstreams;
    this.#cookies = new RouteCookies(
      settings,
      upstreams.map(({ server }) => server),
      keys,
    );
  }

  keeper(request: RoutedRequest, tried: Upstream | null): Upstream | null {
    // Asked again for a request that failed; its cookie is known then.
    request.routeCookie ??= this.#cookies.find(request.cookie);
    if (request.routeCookie === null) return null;
    const named = this.#upstreams[request.routeCookie.at]!;
    return named !== tried && canKeep(named) ? named : null;
  }

  setCookie({ routeCookie, sessionId, isSecure }: RoutedRequest, answered: Upstream): string {
    // Whoever chooses a server by a path (R21) wants it for that request.
    if (sessionId !== "") return "";
    if (routeCookie?.isCurrent === true && this.#upstreams[routeCookie.at] === answered) return "";
    return this.#cookies.line(this.#upstreams.indexOf(answered), isSecure);
  }

  /** Nothing to do: the browsers know. */
  update(): void {}
}
