/**
 * TLS on connections that somebody else accepts: a listener gives each socket to `accept`, and gets the encrypted one when
 * the handshake is over. What fails until then is closed and reaches nobody (A46).
 */
import type { Socket } from "node:net";
import { createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import type { TlsSettings } from "../config/model.ts";
import { codeOf } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import { Certificates, type TicketOptions } from "./certificates.ts";
import { type ClientCertificate, clientCertificateOf } from "./client-certificate.ts";

export interface SecureOptions extends TicketOptions {
  /** What is spoken inside (ALPN), the best first. */
  readonly protocols: readonly string[];
  readonly handshakeTimeoutMs: number;
  readonly log: Log;
}

/** As nginx says it: who sees this has typed http: before the port of https:. */
const plainBody = "This port speaks HTTPS: begin the address with https://\n";
const plainAnswer =
  "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n" +
  `Content-Length: ${plainBody.length}\r\nConnection: close\r\n\r\n${plainBody}`;

export class SecureServer {
  readonly #server: Server;
  readonly #certificates: Certificates;
  readonly #clients: TlsSettings["clientCertificates"];
  readonly #onSecure: (socket: TLSSocket, client: ClientCertificate | null) => void;
  readonly #log: Log;

  /**
   * @param onSecure gets the client's certificate, null when it showed none and need not.
   * @throws FlotillaError FLOTILLA_CERTIFICATE
   */
  constructor(
    settings: TlsSettings,
    options: SecureOptions,
    onSecure: (socket: TLSSocket, client: ClientCertificate | null) => void,
  ) {
    this.#log = options.log;
    this.#onSecure = onSecure;
    this.#clients = settings.clientCertificates;
    this.#certificates = new Certificates(settings, options, options.log);
    this.#server = createServer({
      SNICallback: (name, done) => done(null, this.#certificates.of(name) ?? undefined),
      ALPNProtocols: [...options.protocols],
      handshakeTimeout: options.handshakeTimeoutMs,
      requestCert: this.#clients !== null,
      rejectUnauthorized: this.#clients?.mode === "required",
    });
    this.#server.on("secureConnection", (socket) => this.#secured(socket));
    this.#server.on("tlsClientError", (error, socket) => this.#failed(error, socket));
    this.#useDefault();
    this.#certificates.onDefault = () => this.#useDefault();
    this.#certificates.watch();
  }

  /** Begins the handshake. Nothing may have been read from the socket, and it must not be half-open by its options. */
  accept(socket: Socket): void {
    // Node's documented way to give a connection to a tls.Server.
    this.#server.emit("connection", socket);
  }

  /** One look at the files of the certificates; a change needs two. */
  look(): Promise<void> {
    return this.#certificates.look();
  }

  /** Ends what it does by itself; connections are their listener's. */
  close(): void {
    this.#certificates.close();
  }

  #useDefault(): void {
    this.#server.setSecureContext(this.#certificates.defaultOptions);
    // Made anew by Node from the options; the session tickets are for this one too.
    const { _sharedCreds } = this.#server as unknown as { _sharedCreds?: SecureContext };
    if (_sharedCreds !== undefined) this.#certificates.tickets.install(_sharedCreds);
  }

  #secured(socket: TLSSocket): void {
    let client: ClientCertificate | null = null;
    if (this.#clients !== null) {
      const shown = clientCertificateOf(socket, Date.now());
      const missing = shown === null && this.#clients.mode === "required";
      if (missing || typeof shown === "string") {
        this.#log.debug(
          `the certificate of ${socket.remoteAddress} is not accepted: ${shown ?? "there is none"}`,
        );
        return void socket.destroy();
      }
      client = shown;
    }
    // A client may end its direction and wait for its answer, but not in the middle of a handshake.
    socket.allowHalfOpen = true;
    this.#onSecure(socket, client);
  }

  #failed(error: Error, socket: TLSSocket): void {
    this.#log.debug(`TLS handshake with ${socket.remoteAddress} failed: ${codeOf(error) || error.message}`);
    const { _parent: raw } = socket as unknown as { _parent?: Socket };
    if (codeOf(error) !== "ERR_SSL_HTTP_REQUEST" || raw === undefined) return void socket.destroy();
    raw.end(plainAnswer, () => socket.destroy());
  }
}
