/** The keys of the cluster port, from the secret of the file, with ids by which two operators can compare them. */
import { scryptSync } from "node:crypto";
import { deriveKey } from "../support/keys.ts";

export interface LinkKey {
  /** 8 hex digits, no secret: it goes over the wire in the clear, before TLS. */
  readonly id: string;
  /** 32 bytes: the pre-shared key of TLS. */
  readonly key: Buffer;
}

export interface LinkKeys {
  readonly current: LinkKey;
  /** Accepted and tried too, while secrets are changed. */
  readonly previous: LinkKey | null;
}

export function linkKeys(secret: Buffer, previousSecret: Buffer | null): LinkKeys {
  return {
    current: linkKey(secret),
    previous: previousSecret === null ? null : linkKey(previousSecret),
  };
}

export function keyOfId(keys: LinkKeys, id: string): LinkKey | null {
  if (keys.current.id === id) return keys.current;
  return keys.previous?.id === id ? keys.previous : null;
}

/** "ab12cd34", or "ab12cd34 (and ef567890, the previous one)". */
export function keyIdsText(keys: LinkKeys): string {
  return keys.previous === null
    ? keys.current.id
    : `${keys.current.id} (and ${keys.previous.id}, the previous one)`;
}

function linkKey(secret: Buffer): LinkKey {
  const key = deriveKey(secret, "link");
  // A slow hash (some 10 ms): whoever sees the id can't test guesses of a weak secret faster with it than by dialing.
  const id = scryptSync(key, "flotilla link key id", 4, { N: 4_096, r: 8, p: 1 }).toString("hex");
  return { id, key };
}
