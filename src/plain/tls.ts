/** TLS to a plain HTTP server: its certificate is checked, and one handshake serves the connections after it. */
import { readFileSync } from "node:fs";
import { isIP, type OnReadOpts, type SocketConstructorOpts } from "node:net";
import * as tls from "node:tls";
import type { PlainServerTls, Server } from "../config/model.ts";

/** Node passes them on to the socket below; its types leave them out. */
type Options = tls.ConnectionOptions & Pick<SocketConstructorOpts, "allowHalfOpen" | "onread">;

export class UpstreamTls {
  readonly #options: Options;
  /** Of the last handshake, for the next one to be short (RFC 8446, 2.2). */
  #session: Buffer | null = null;

  constructor(server: Server, settings: PlainServerTls) {
    const name = settings.serverName ?? server.address;
    this.#options = {
      port: server.port,
      // An address has no SNI; its certificate must name the address.
      servername: isIP(name) === 0 ? name : "",
      rejectUnauthorized: settings.verify,
      ALPNProtocols: ["http/1.1"],
      secureContext: contextOf(settings.caPath),
      checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(name, certificate),
      allowHalfOpen: true,
    };
  }

  connect(host: string, onread: OnReadOpts): tls.TLSSocket {
    const session = this.#session === null ? {} : { session: this.#session };
    const options: Options = { ...this.#options, ...session, host, onread };
    const socket = tls.connect(options);
    socket.setNoDelay(true);
    socket.on("session", (ticket) => {
      this.#session = ticket;
    });
    return socket;
  }

  /** After a failed handshake: a session may be why. */
  forget(): void {
    this.#session = null;
  }
}

let usual: tls.SecureContext | null = null;

/** Some hundred authorities take a twentieth of a second to read: servers that trust the usual ones share them. */
function contextOf(caPath: string | null): tls.SecureContext {
  if (caPath !== null) return tls.createSecureContext({ ca: readFileSync(caPath, "utf8") });
  usual ??= tls.createSecureContext({ ca: usualAuthorities() });
  return usual;
}

/** As curl has it: those of the system, where a site adds its own; and those that Node brings. */
function usualAuthorities(): string[] {
  // Node before 22.15 knows only its own.
  if (tls.getCACertificates === undefined) return [...tls.rootCertificates];
  return [...new Set([...tls.getCACertificates("default"), ...tls.getCACertificates("system")])];
}
