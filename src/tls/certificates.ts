/** The certificates of one listener: which one a browser gets, and new ones when their files change. */
import { constants, createHash } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { type Certificate, readAuthorities, readCertificate, timeTrouble } from "../config/certificates.ts";
import type { CertificateFiles, ClientCertificateSettings, TlsSettings } from "../config/model.ts";
import { FlotillaError } from "../support/errors.ts";
import { tls as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { FileWatch } from "./file-watch.ts";
import { TicketKeys } from "./ticket-keys.ts";

/**
 * Mozilla's "intermediate" (wiki.mozilla.org/Security/Server_Side_TLS): forward secrecy and authenticated encryption alone.
 * All are good, so the client's order counts: a phone without hardware for AES is faster with ChaCha20.
 */
const modernOptions: SecureContextOptions = {
  minVersion: "TLSv1.2",
  honorCipherOrder: false,
  ciphers: [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
  ].join(":"),
  // A client that renegotiates makes us calculate for nothing; TLS 1.3 has no such thing (A46).
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  sessionTimeout: limits.sessionTimeoutSeconds,
};

interface Entry {
  readonly files: CertificateFiles;
  certificate: Certificate;
  /** Made when a browser asks for it: about a millisecond each, which a thousand certificates would add to every start. */
  context: SecureContext | null;
  /** The files have changed and what is there now can't be used. */
  broken: boolean;
}

/** Whose tickets are accepted. */
export interface TicketOptions {
  readonly secret: Buffer;
  readonly previousSecret: Buffer | null;
  /** Sessions resume within one cluster of the file. */
  readonly clusterName: string;
}

/** Said of a changed file that can't be used. */
const kept = "what was read before stays in use until that is mended";

export class Certificates {
  readonly #ticketOptions: TicketOptions;
  readonly #clients: ClientCertificateSettings | null;
  readonly #log: Log;
  readonly #watch: FileWatch;
  readonly #entries: readonly Entry[];
  /** Of clients' certificates; none where clients are not asked. */
  #authorities: string[];
  #tickets: TicketKeys;
  #byName: ReadonlyMap<string, Entry> = new Map();
  /** There is a new default. */
  onDefault: () => void = () => {};

  /** @throws FlotillaError FLOTILLA_CERTIFICATE when a file has changed for the worse since the check of the file. */
  constructor(settings: TlsSettings, tickets: TicketOptions, log: Log) {
    const { certificates, clientCertificates: clients } = settings;
    this.#ticketOptions = tickets;
    this.#clients = clients;
    this.#log = log;
    const watched = certificates.map((files, at) => ({
      paths: [files.certPath, files.keyPath],
      changed: () => this.#readAgain(this.#entries[at]!),
    }));
    if (clients !== null)
      watched.push({ paths: [clients.caPath], changed: () => this.#readAuthoritiesAgain(clients) });
    this.#watch = new FileWatch(watched, limits.filesIntervalMs);
    this.#authorities = clients === null ? [] : [readFirstAuthorities(clients)];
    this.#tickets = this.#newTickets();
    this.#entries = certificates.map((files) => this.#readFirst(files));
    this.#nameAll();
  }

  get tickets(): TicketKeys {
    return this.#tickets;
  }

  /** Of browsers that ask for a host that no certificate names, or for none. */
  get defaultOptions(): SecureContextOptions {
    return this.#optionsOf(this.#entries[0]!.certificate);
  }

  /** @param asked as the browser wrote it (RFC 6066, 3); anything may stand there. @returns null for the default. */
  of(asked: string): SecureContext | null {
    const lower = asked.toLowerCase();
    const name = lower.endsWith(".") ? lower.slice(0, -1) : lower;
    // RFC 6125, 6.4.3: the star is one label, the first.
    const dot = name.indexOf(".");
    const entry = this.#byName.get(name) ?? (dot > 0 ? this.#byName.get(`*${name.slice(dot)}`) : undefined);
    if (entry === undefined) return null;
    entry.context ??= this.#contextOf(entry.certificate);
    return entry.context;
  }

  watch(): void {
    this.#watch.start();
  }

  /** One look at the files; a change needs two. */
  look(): Promise<void> {
    return this.#watch.look();
  }

  close(): void {
    this.#watch.close();
  }

  #readFirst(files: CertificateFiles): Entry {
    const { certificate, troubles } = readCertificate(files);
    if (certificate === null) throw new FlotillaError("FLOTILLA_CERTIFICATE", troubles[0]!.what);
    return { files, certificate, context: null, broken: false };
  }

  #readAgain(entry: Entry): void {
    const { certificate, troubles } = readCertificate(entry.files);
    const { certShown } = entry.files;
    if (certificate === null) {
      entry.broken = true;
      this.#log.warn(`the changed certificate can't be used: ${troubles[0]!.what}; ${kept}`);
      return;
    }
    const mended = entry.broken ? ", which is whole again" : "";
    Object.assign(entry, { certificate, context: null, broken: false });
    this.#nameAll();
    if (entry === this.#entries[0]) this.onDefault();
    this.#log.info(`new connections get the changed certificate in ${certShown}${mended}`);
    const time = timeTrouble(certificate, Date.now());
    if (time !== null) this.#log.warn(`${certShown}: ${time}`);
  }

  #readAuthoritiesAgain({ caPath, caShown }: ClientCertificateSettings): void {
    const read = readAuthorities(caPath, caShown);
    if ("trouble" in read) {
      this.#log.warn(`the changed authorities of clients can't be used: ${read.trouble}; ${kept}`);
      return;
    }
    this.#authorities = [read.pem];
    this.#tickets = this.#newTickets();
    for (const entry of this.#entries) entry.context = null;
    this.onDefault();
    this.#log.info(`clients of new connections are checked by the changed authorities in ${caShown}`);
  }

  /**
   * Whoever resumes a session proves nothing anew. So its ticket must be good for nothing where a client has more to prove, or where
   * other authorities vouch for it.
   */
  #newTickets(): TicketKeys {
    const { secret, previousSecret, clusterName } = this.#ticketOptions;
    const proof = createHash("sha256").update(this.#authorities.join("")).digest("hex");
    const scope = this.#clients === null ? clusterName : `${clusterName}\0${this.#clients.mode}\0${proof}`;
    return new TicketKeys(previousSecret === null ? [secret] : [secret, previousSecret], scope);
  }

  #optionsOf({ cert, key }: Certificate): SecureContextOptions {
    return {
      ...modernOptions,
      cert,
      key,
      // Without any, Node would load its own root certificates.
      ca: this.#authorities,
      ticketKeys: this.#tickets.current,
      sessionIdContext: this.#tickets.sessionIdContext,
    };
  }

  #contextOf(certificate: Certificate): SecureContext {
    const context = createSecureContext(this.#optionsOf(certificate));
    this.#tickets.install(context);
    return context;
  }

  #nameAll(): void {
    const byName = new Map<string, Entry>();
    for (const entry of this.#entries)
      for (const name of entry.certificate.names) if (!byName.has(name)) byName.set(name, entry);
    this.#byName = byName;
  }
}

function readFirstAuthorities({ caPath, caShown }: ClientCertificateSettings): string {
  const read = readAuthorities(caPath, caShown);
  if ("trouble" in read) throw new FlotillaError("FLOTILLA_CERTIFICATE", read.trouble);
  return read.pem;
}
