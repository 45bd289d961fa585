/** Certificates on disk: read and proven to be whole. `check`, a start and the reload of changed files ask the same. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { messageOf } from "../support/errors.ts";
import { config } from "../support/limits.ts";
import type { CertificateFiles } from "./model.ts";
import { readTextFile } from "./read-file.ts";

/** A certificate with its chain and its key, fit for each other. */
export interface Certificate {
  /** PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** The hosts it is for, in lower case: "example.com", "*.example.com". */
  readonly names: readonly string[];
  readonly validFrom: Date;
  readonly validTo: Date;
}

export interface CertificateTrouble {
  readonly of: "cert" | "key";
  /** What is wrong, and in which file. */
  readonly what: string;
}

export type CertificateRead =
  | { readonly certificate: Certificate; readonly troubles: readonly [] }
  | { readonly certificate: null; readonly troubles: readonly CertificateTrouble[] };

/** @returns the certificate, or all that is wrong with it; what it says of time is for the caller to judge. */
export function readCertificate(files: CertificateFiles): CertificateRead {
  const troubles: CertificateTrouble[] = [];
  const trouble = (of: "cert" | "key", what: string): null => {
    troubles.push({ of, what });
    return null;
  };
  const cert = readPem(files.certPath, files.certShown, (what) => trouble("cert", what));
  const key = readPem(files.keyPath, files.keyShown, (what) => trouble("key", what));
  const chain = cert === null ? null : parseChain(cert);
  if (chain?.length === 0) trouble("cert", `there is no certificate in PEM form in ${files.certShown}`);
  const privateKey = key === null ? null : parseKey(key);
  if (typeof privateKey === "string") trouble("key", `${privateKey} in ${files.keyShown}`);
  const leaf = chain?.[0];
  if (leaf !== undefined && privateKey !== null && typeof privateKey !== "string") {
    const wrong = unfit(leaf, chain!, privateKey, files);
    if (wrong !== null) trouble("key", wrong);
    else {
      const refused = refusal(cert!, key!);
      if (refused !== null) trouble("cert", `TLS refuses this certificate and key: ${refused}`);
    }
  }
  if (troubles.length > 0) return { certificate: null, troubles };
  const { validFromDate: validFrom, validToDate: validTo } = leaf!;
  return {
    certificate: { cert: cert!, key: key!, names: hostNames(leaf!), validFrom, validTo },
    troubles: [],
  };
}

/** @returns the authorities of a PEM file, or what is wrong with it. */
export function readAuthorities(path: string, shown: string): { pem: string } | { trouble: string } {
  let trouble = "";
  const pem = readPem(path, shown, (what) => {
    trouble = what;
    return null;
  });
  if (pem === null) return { trouble };
  return parseChain(pem).length > 0
    ? { pem }
    : { trouble: `there is no certificate in PEM form in ${shown}` };
}

/** What a clock at `now` has against it ("the certificate ended on ..."), or null. */
export function timeTrouble({ validFrom, validTo }: Certificate, now: number): string | null {
  if (now > validTo.getTime()) return `the certificate ended on ${validTo.toISOString()}`;
  if (now < validFrom.getTime()) return `the certificate begins on ${validFrom.toISOString()}`;
  return null;
}

/** The certificates of a PEM file in their order; none where one of them is damaged. */
function parseChain(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return [];
  }
}

function readPem(path: string, shown: string, tell: (what: string) => null): string | null {
  const { text, trouble } = readTextFile(path, config.fileBytesMax);
  if (trouble !== null) return tell(`cannot read ${shown}: ${trouble}`);
  return text.trim() === "" ? tell(`${shown} is empty`) : text;
}

/** @returns the key, or what there is instead of one. */
function parseKey(pem: string): KeyObject | string {
  try {
    return createPrivateKey(pem);
  } catch {
    return pem.includes("ENCRYPTED")
      ? "the private key is protected by a passphrase"
      : "there is no private key in PEM form";
  }
}

function unfit(
  leaf: X509Certificate,
  chain: readonly X509Certificate[],
  key: KeyObject,
  { certShown, keyShown }: CertificateFiles,
): string | null {
  if (leaf.checkPrivateKey(key)) return null;
  const place = chain.findIndex((certificate) => certificate.checkPrivateKey(key)) + 1;
  return place === 0
    ? `the key in ${keyShown} is not that of the certificate`
    : `the key in ${keyShown} is that of certificate ${place} in ${certShown}: the site's own must be the first there, before those of its authorities`;
}

function refusal(cert: string, key: string): string | null {
  try {
    createSecureContext({ cert, key, ca: [] });
    return null;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/** Names of hosts in the certificate's subjectAltName; where it has none at all, in its common name (RFC 6125, 6.4.4). */
function hostNames(certificate: X509Certificate): string[] {
  const { subjectAltName, subject } = certificate;
  const found =
    subjectAltName === undefined
      ? [/^CN=(.+)$/m.exec(subject)?.[1] ?? ""]
      : // A name with unusual characters stands in quotes: it is no host's, and what is in it is not looked at.
        [...subjectAltName.matchAll(/"(?:[^"\\]|\\.)*"|\bDNS:([^",]+)/g)].map(([, name = ""]) => name);
  return [...new Set(found.map((name) => name.toLowerCase()))].filter((name) =>
    /^(\*\.)?[a-z0-9_]([a-z0-9_-]*)(\.[a-z0-9_]([a-z0-9_-]*))*$/.test(name),
  );
}
