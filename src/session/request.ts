/** What `session()` needs of a request, and nothing more: it also gets upgrade requests and those of test doubles. */
import type { Session } from "./session.ts";

export interface SessionRequest {
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly url?: string | undefined;
  /** Express: the URL before routers cut it. */
  readonly originalUrl?: string | undefined;
  /** Express: `trust proxy` applied. */
  readonly secure?: boolean | undefined;
  readonly socket?: { readonly encrypted?: boolean } | null | undefined;
  session?: Session | null | undefined;
  sessionID?: string;
}

/** @param proxy whether X-Forwarded-Proto counts; undefined leaves it to Express. */
export function isSecure(req: SessionRequest, proxy: boolean | undefined): boolean {
  if (req.socket?.encrypted) return true;
  if (proxy === undefined) return req.secure === true;
  if (!proxy) return false;
  const forwarded = req.headers["x-forwarded-proto"];
  const first = (Array.isArray(forwarded) ? forwarded[0] : forwarded) ?? "";
  return first.split(",", 1)[0]!.trim().toLowerCase() === "https";
}

/** Whether a cookie of that path is sent with it. */
export function isWithinPath(req: SessionRequest, cookiePath: string): boolean {
  if (cookiePath === "/") return true;
  return (req.originalUrl ?? req.url ?? "/").startsWith(cookiePath);
}
