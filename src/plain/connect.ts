/** A connection to one address of a plain HTTP server. */
import { connect, type OnReadOpts, type Socket } from "node:net";
import type { Server } from "../config/model.ts";
import type { UpstreamTls } from "./tls.ts";

/** What a socket says when requests can be sent on it. */
export function openEvent(tls: UpstreamTls | null): "connect" | "secureConnect" {
  return tls === null ? "connect" : "secureConnect";
}

/** @param host IP address, or the path of a Unix socket. */
export function connectPlain(
  { plain, port }: Server,
  tls: UpstreamTls | null,
  host: string,
  onread: OnReadOpts,
): Socket {
  if (tls !== null) return tls.connect(host, onread);
  const options = { noDelay: true, allowHalfOpen: true, onread };
  return plain!.socketPath === null
    ? connect({ ...options, host, port })
    : connect({ ...options, path: host });
}
