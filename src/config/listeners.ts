/** `listen:` -> listeners; certificates and keys are proven to be there and to belong together (A45). */
import { resolve } from "node:path";
import { type Certificate, readCertificate, timeTrouble } from "./certificates.ts";
import type { Context, Placed } from "./context.ts";
import type { CertificateFiles, Listener, TlsSettings } from "./model.ts";
import { quote } from "./problems.ts";
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

function readTls(section: Section, elsewhere: boolean, context: Context): TlsSettings | null {
  if (!section.has("tls")) {
    context.problems.error(section.atOf("https"), `${section.where}: https: needs tls: with cert: and key:`);
    return null;
  }
  const placed: Placed<CertificateFiles>[] = [];
  const checked: CheckedCertificate[] = [];
  for (const [index, entry] of section.sections("tls").entries()) {
    const files = certificateFiles(entry, context);
    if (files === null) continue;
    placed.push({ at: entry.atOf("cert"), value: files });
    const certificate = elsewhere ? null : checkCertificate(entry, files, context);
    if (certificate !== null) checked.push({ entry, certificate, isDefault: index === 0 });
  }
  checkNames(checked, context);
  return { certificates: placed.map(({ value }) => value) };
}

function certificateFiles(entry: Section, { folder }: Context): CertificateFiles | null {
  const cert = entry.text("cert");
  const key = entry.text("key");
  if (cert === null || key === null) return null;
  return {
    certPath: resolve(folder, cert),
    keyPath: resolve(folder, key),
    certShown: shown(entry, "cert", folder),
    keyShown: shown(entry, "key", folder),
  };
}

/** The whole path; or what was written, where a part of it is substituted. */
function shown(section: Section, key: string, folder: string): string {
  const written = section.writtenText(key);
  return quote(written.includes("${") ? written : resolve(folder, written));
}

function checkCertificate(
  entry: Section,
  files: CertificateFiles,
  { problems, now }: Context,
): Certificate | null {
  const { certificate, troubles } = readCertificate(files);
  for (const { of, what } of troubles) problems.error(entry.atOf(of), `${entry.where}: ${what}`);
  const time = certificate === null ? null : timeTrouble(certificate, now);
  if (time !== null) problems.warning(entry.atOf("cert"), `${entry.where}.cert: ${time}`);
  return certificate;
}

interface CheckedCertificate {
  readonly entry: Section;
  readonly certificate: Certificate;
  readonly isDefault: boolean;
}

/** Whether each certificate will ever be used. */
function checkNames(checked: readonly CheckedCertificate[], { problems }: Context): void {
  const lines = new Map<string, number>();
  for (const { entry, certificate, isDefault } of checked) {
    const at = entry.atOf("cert");
    if (!isDefault && certificate.names.length === 0)
      problems.warning(at, `${entry.where}: the certificate names no host, so no browser will get it`);
    for (const name of certificate.names) {
      const line = lines.get(name);
      if (line === undefined) lines.set(name, at.line);
      else
        problems.warning(
          at,
          `${entry.where}: the certificate names ${name}, as that in line ${line} does; browsers that ask for it get the earlier one`,
        );
    }
  }
}
