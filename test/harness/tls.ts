/** TLS in tests: the certificates of test/harness/tls (made by make.sh there), and clients that say what they were given. */
import { once } from "node:events";
import { chmodSync, copyFileSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { TestContext } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import type { CertificateFiles, TlsSettings } from "../../src/config/model.ts";
import { owned } from "./other-user.ts";

export const tlsFolder: string = join(import.meta.dirname, "tls");

export function tlsFile(name: string): string {
  return readFileSync(join(tlsFolder, name), "utf8");
}

/** @param name "a" for a.pem and a.key. @param folder where they are, if not in test/harness/tls. */
export function certificateFiles(name: string, folder: string = tlsFolder): CertificateFiles {
  const [cert, key] = [`${name}.pem`, `${name}.key`];
  return { certPath: join(folder, cert), keyPath: join(folder, key), certShown: cert, keyShown: key };
}

/** For a server that runs as that user, and refuses a key that others may read. */
export function copyCertificate(name: string, folder: string, user: string): CertificateFiles {
  const copy = certificateFiles(name, folder);
  for (const path of [copy.certPath, copy.keyPath]) {
    copyFileSync(join(tlsFolder, basename(path)), path);
    chmodSync(path, 0o600);
    owned(path, user);
  }
  return copy;
}

/** Certificates of test/harness/tls by their names; clients are not asked for theirs. */
export function tlsSettings(...names: string[]): TlsSettings {
  return { certificates: names.map((name) => certificateFiles(name)), clientCertificates: null };
}

/** A connection whose handshake is over; it trusts anybody. Ends with the test. */
export async function secureClient(
  t: TestContext,
  port: number,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  socket.on("error", () => {});
  t.after(() => void socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}

/** The names in the certificate that a client who asks for this host gets. */
export async function namesFor(t: TestContext, port: number, servername: string): Promise<string> {
  const socket = await secureClient(t, port, { servername });
  const names = socket.getPeerCertificate().subjectaltname ?? "";
  socket.destroy();
  return names;
}
