/** Who a client is by its certificate (mutual TLS). The handshake has checked who signed it; the rest is checked here. */
import type { TLSSocket } from "node:tls";
import { tls as limits } from "../support/limits.ts";

export interface ClientCertificate {
  /** One line of visible ASCII and spaces, the most specific part first: "CN=Alice,O=Example" (RFC 4514, as nginx's $ssl_client_s_dn). */
  readonly subject: string;
  /** SHA-256 of the certificate: 64 hex digits in lower case. */
  readonly fingerprint: string;
}

/** @returns null when none was shown; a text when it is not accepted: why. @param now wall-clock milliseconds since 1970. */
export function clientCertificateOf(socket: TLSSocket, now: number): ClientCertificate | null | string {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  if (!socket.authorized) return String(socket.authorizationError);
  // A session is resumed without a look at the clock.
  if (now > certificate.validToDate.getTime()) return "CERT_HAS_EXPIRED";
  const subject = oneLine(certificate.subject ?? "");
  if (subject.length > limits.clientSubjectBytesMax) return "its subject is too long";
  return { subject, fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase() };
}

/**
 * @param subject of Node: one part a line, the most general first, its values escaped as in RFC 4514, except that characters
 * beyond ASCII stand as they are.
 */
export function oneLine(subject: string): string {
  return subject
    .split("\n")
    .reverse()
    .join(",")
    .replace(/[^ -~]+/gu, (text) =>
      [...Buffer.from(text)].map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
    );
}
