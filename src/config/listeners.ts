/** `listen:` -> listeners; a certificate and key are proven to be there and to belong together. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import { createSecureContext } from "node:tls";
import { messageOf } from "../support/errors.ts";
import { config } from "../support/limits.ts";
import type { Context, Placed } from "./context.ts";
import type { Listener } from "./model.ts";
import { type Position, quote } from "./problems.ts";
import { readTextFile } from "./read-file.ts";
import { parseEndpoint } from "./scalars.ts";
import type { Section } from "./section.ts";

/** @param elsewhere this machine has a server of the file, but none of this cluster: its certificates may be missing here. */
export function buildListeners(
  sections: readonly Section[],
  elsewhere: boolean,
  context: Context,
): readonly Placed<Listener>[] {
  return sections.flatMap((section) => {
    const scheme = section.has("https") ? "https" : "http";
    const tls = scheme === "https" ? readTls(section, elsewhere, context) : null;
    if (section.has("tls") && section.has("http") && scheme === "http") {
      context.problems.error(section.atOf("tls"), `${section.where}: tls: goes with https:, not with http:`);
    }
    const text = section.text(scheme);
    const endpoint = text === null ? null : parseEndpoint(text);
    if (endpoint === null) return [];
    const address = endpoint.address ?? context.machine.anyAddress;
    return [{ at: section.atOf(scheme), value: { scheme, address, port: endpoint.port, tls } }];
  });
}

function readTls(section: Section, elsewhere: boolean, context: Context): Listener["tls"] {
  if (!section.has("tls")) {
    context.problems.error(section.atOf("https"), `${section.where}: https: needs tls: with cert: and key:`);
    return null;
  }
  const tls = section.section("tls");
  const cert = tls.text("cert");
  const key = tls.text("key");
  if (cert === null || key === null) return null;
  const files = { certPath: resolve(context.folder, cert), keyPath: resolve(context.folder, key) };
  if (!elsewhere) new TlsFiles(tls, files, context).check();
  return files;
}

class TlsFiles {
  readonly #section: Section;
  readonly #paths: { readonly certPath: string; readonly keyPath: string };
  readonly #context: Context;

  constructor(section: Section, paths: { certPath: string; keyPath: string }, context: Context) {
    this.#section = section;
    this.#paths = paths;
    this.#context = context;
  }

  check(): void {
    const certAt = this.#section.atOf("cert");
    const keyAt = this.#section.atOf("key");
    const cert = this.#read("cert", this.#paths.certPath);
    const key = this.#read("key", this.#paths.keyPath);
    const certificate = cert === null ? null : this.#certificate(cert, certAt);
    const privateKey = key === null ? null : this.#privateKey(key, keyAt);
    if (certificate === null || privateKey === null) return;
    this.#checkTime(certificate, certAt);
    if (!certificate.checkPrivateKey(privateKey)) {
      this.#error(keyAt, `the key in ${this.#shown("key")} is not that of the certificate`);
      return;
    }
    try {
      createSecureContext({ cert: cert!, key: key! });
    } catch (thrown) {
      this.#error(certAt, `TLS refuses this certificate and key: ${messageOf(thrown)}`);
    }
  }

  #read(key: "cert" | "key", path: string): string | null {
    const { text, trouble } = readTextFile(path, config.fileBytesMax);
    if (trouble !== null) this.#error(this.#section.atOf(key), `cannot read ${this.#shown(key)}: ${trouble}`);
    return text;
  }

  /** The whole path; or what was written, where a part of it is substituted. */
  #shown(key: "cert" | "key"): string {
    const written = this.#section.writtenText(key);
    return quote(written.includes("${") ? written : resolve(this.#context.folder, written));
  }

  #certificate(pem: string, at: Position): X509Certificate | null {
    try {
      return new X509Certificate(pem);
    } catch {
      this.#error(at, `there is no certificate in PEM form in ${this.#shown("cert")}`);
      return null;
    }
  }

  #privateKey(pem: string, at: Position): KeyObject | null {
    try {
      return createPrivateKey(pem);
    } catch {
      const protectedKey = pem.includes("ENCRYPTED");
      const found = protectedKey
        ? "the private key is protected by a passphrase"
        : "there is no private key in PEM form";
      this.#error(at, `${found} in ${this.#shown("key")}`);
      return null;
    }
  }

  #checkTime(certificate: X509Certificate, at: Position): void {
    const { now, problems } = this.#context;
    const { validFromDate, validToDate } = certificate;
    if (now > validToDate.getTime()) {
      problems.warning(
        at,
        `${this.#section.where}.cert: the certificate ended on ${validToDate.toISOString()}`,
      );
    } else if (now < validFromDate.getTime()) {
      problems.warning(
        at,
        `${this.#section.where}.cert: the certificate begins on ${validFromDate.toISOString()}`,
      );
    }
  }

  #error(at: Position, message: string): void {
    this.#context.problems.error(at, `${this.#section.where}: ${message}`);
  }
}
