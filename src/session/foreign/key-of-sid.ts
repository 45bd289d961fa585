/**
 * Sessions under ids that another library made (express-session, @fastify/session, koa-session, ...): what they are kept under here.
 * Who can read what is kept learns keys, and no key leads back to the id that is in a browser's cookie.
 */
import { hash } from "node:crypto";

const keyLength = 24;

/**
 * @param sid as the library hands it to its store, without the prefix of a cookie and without its signature.
 * @returns base64url of the first 144 bits of its SHA-256: a key as `id.ts` has it, its slot the first 12 of them. As hard to
 * guess as the sid.
 */
export function keyOfSid(sid: string): string {
  return hash("sha256", sid, "base64url").slice(0, keyLength);
}
