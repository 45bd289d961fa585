/**
 * TLS 1.3 with a pre-shared key, and the greeting in front of it. No certificates, no tickets that could be
 * resumed, no early data: each connection proves the key anew, in both directions, with a fresh Diffie-Hellman
 * exchange (RFC 8446, psk_dhe_ke).
 *
 * The greeting is one line in the clear, from the accepting side: "FLOTILLA <key id>[ <previous key id>]\n". By it the
 * dialing side picks the key that both have, and can name the other's key id when there is none. It is
 * believed in nothing else: who changes it on the way can only make the handshake fail.
 */
import { constants } from "node:crypto";
import type { Duplex } from "node:stream";
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import { codeOf } from "../support/errors.ts";
import { keyIdsText, keyOfId, type LinkKey, type LinkKeys } from "./keys.ts";
import { printable } from "./wire.ts";

const tlsOptions = {
  ciphers: "TLS_AES_128_GCM_SHA256",
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;

const identityPrefix = "flotilla/";
const greetingPattern = /^FLOTILLA ([0-9a-f]{8})(?: ([0-9a-f]{8}))?\n$/;
export const greetingBytesMax = 27;

export function greetingOf(keys: LinkKeys): string {
  const previous = keys.previous === null ? "" : ` ${keys.previous.id}`;
  return `FLOTILLA ${keys.current.id}${previous}\n`;
}

/** @returns the key ids of the other side, or null when it is no greeting. */
export function parseGreeting(text: string): readonly string[] | null {
  const match = greetingPattern.exec(text);
  if (match === null) return null;
  return match[2] === undefined ? [match[1]!] : [match[1]!, match[2]];
}

/** The key to try with a server that has the keys `ids`: one in common, else our own, so that it can say no. */
export function keyFor(keys: LinkKeys, ids: readonly string[]): LinkKey {
  if (keys.previous !== null && !ids.includes(keys.current.id) && ids.includes(keys.previous.id)) {
    return keys.previous;
  }
  return keys.current;
}

/**
 * A server that is given accepted sockets by `emit("connection")`, after our greeting.
 * @param onOffer which key id the client names; "" for a client that is none of ours.
 */
export function secureServer(keys: LinkKeys, onOffer: (socket: TLSSocket, keyId: string) => void): Server {
  return createServer({
    ...tlsOptions,
    pskCallback(socket: TLSSocket, identity: string): Buffer | null {
      const keyId = identity.startsWith(identityPrefix) ? identity.slice(identityPrefix.length) : "";
      onOffer(socket, printable(keyId).slice(0, 16));
      return keyOfId(keys, keyId)?.key ?? null;
    },
  });
}

export function secureClient(socket: Duplex, key: LinkKey): TLSSocket {
  return connect({
    ...tlsOptions,
    socket,
    pskCallback: () => ({ psk: key.key, identity: identityPrefix + key.id }),
    // Asked only when the server did not use our key, but came with a certificate: whoever signed that, it is a stranger.
    ca: [], // nor are the root certificates of Node loaded
    checkServerIdentity: () => new Error("the server did not prove that it holds the key"),
  });
}

export const handshakeCut = "closed the connection before the handshake was over";

/** Why a handshake failed, said of the dialing side. @param offered key id that it named, or "". */
export function acceptFailure(error: Error, keys: LinkKeys, offered: string): string {
  if (codeOf(error) === "ERR_SSL_HTTP_REQUEST") {
    return "speaks HTTP; this is the cluster port, browsers use the addresses under listen:";
  }
  // A command that did not want to wait any longer does so too: no ground to speak of an attack.
  if (codeOf(error) === "ECONNRESET") return handshakeCut;
  if (offered === "") {
    return `sent what is not the cluster protocol (${codeOf(error)}); only servers of this cluster belong here`;
  }
  if (keyOfId(keys, offered) === null) {
    return `uses another secret (its key id is ${offered}, ours is ${keyIdsText(keys)}): give both the same secret`;
  }
  return `named our key ${offered} and could not prove that it holds it: replayed or altered bytes (${codeOf(error)})`;
}

/**
 * Why a handshake failed, said of the accepting side. @param ids its key ids by its greeting.
 * @returns "" when it was not TLS that failed.
 */
export function dialFailure(error: Error, keys: LinkKeys, ids: readonly string[]): string {
  if (!ids.some((id) => keyOfId(keys, id) !== null)) {
    return `uses another secret (its key id is ${ids.join(" and ")}, ours is ${keyIdsText(keys)}): give both the same secret`;
  }
  const code = codeOf(error);
  if (/^E[A-Z]+$/.test(code)) return ""; // ECONNRESET and its like
  return `could not prove that it holds our key (${code || error.message})`;
}
