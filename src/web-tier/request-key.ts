/** `balance: consistent-hash`: what in a request says to which server it belongs. */
import type { HalfSipHash } from "../balance/half-sip-hash.ts";
import type { BalanceSettings } from "../config/model.ts";
import { readCookie } from "../session/cookie-header.ts";
import { clientKey } from "./actions/rate-limit.ts";
import { fieldValue } from "./route-tests.ts";
import type { RoutedRequest } from "./routed-request.ts";

export type KeyedRequest = Pick<RoutedRequest, "path" | "client" | "fields" | "cookie">;

/**
 * Decided once, when the file is loaded. A request without the field or cookie gets a key by chance.
 * @param hash secret, so that nobody can send requests of his choice to one server.
 * @returns null when the policy does not ask for keys.
 */
export function keyFinder(
  { policy, by, name }: BalanceSettings,
  hash: HalfSipHash,
): ((request: KeyedRequest) => number) | null {
  if (policy !== "consistent-hash") return null;
  switch (by) {
    case "path":
      return ({ path }) => hash.hash(path);
    case "client-address":
      return ({ client }) => hash.hash(clientKey(client));
    case "header":
      return ({ fields }) => keyOrChance(fieldValue(fields, name) ?? "", hash);
    case "cookie":
      return ({ cookie }) => keyOrChance(readCookie(cookie, name), hash);
  }
}

function keyOrChance(text: string, hash: HalfSipHash): number {
  return text === "" ? Math.floor(Math.random() * 2 ** 32) : hash.hash(text);
}
