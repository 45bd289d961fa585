/** What serve() and the preload ask alike of the server that this process was started as. */
import type http from "node:http";
import type { Member } from "../member/member.ts";
import { FlotillaError } from "../support/errors.ts";

/** The default of http.Server: a value of the application's own is left alone. */
const nodeKeepAliveTimeoutMs = 5_000;

/** @throws FlotillaError FLOTILLA_NOT_AN_APP_SERVER */
export function requireAppServer({ cluster, server }: Member): void {
  const what = cluster.tier === "web" ? "web server" : server.kind === "witness" ? "witness" : null;
  if (what === null) return;
  throw new FlotillaError(
    "FLOTILLA_NOT_AN_APP_SERVER",
    `FLOTILLA_SERVER is "${server.name}", a ${what} of the file: an application runs as a server of an app cluster`,
    { source: "server" },
  );
}

export function adoptKeepAlive(server: http.Server, timeoutMs: number): void {
  if (server.keepAliveTimeout === nodeKeepAliveTimeoutMs) server.keepAliveTimeout = timeoutMs;
}
