/** Keys for different purposes from the one secret of the file (HKDF, RFC 5869), so that none reveals another. */
import { hkdfSync } from "node:crypto";

export type KeyPurpose = "balance" | "link" | "route-cookie" | "session-id" | "tls-ticket";

/** `context` separates keys of one purpose, e.g. the cluster's name for session ids. */
export function deriveKey(secret: Buffer, purpose: KeyPurpose, context = "", bytes = 32): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "flotilla/1", `${purpose}\0${context}`, bytes));
}
