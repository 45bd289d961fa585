/** `listen:` -> listeners; certificates and keys are proven to be there and to belong together (A45). */
import { resolve } from "node:path";
import { type Certificate, readAuthorities, readCertificate, timeTrouble } from "./certificates.ts";
import type { Context, Placed } from "./context.ts";
import type { CertificateFiles, ClientCertificateSettings, Listener, TlsSettings } from "./model.ts";
import { quote } from "./problems.ts";
import { parseEndpoint } from "./scalars.ts";
import type { Section } from "./section.ts";

/** @param elsewhere this machine has a server of the file, but none of this cluster: its certificates may be missing here. */
export function buildListeners(
  sections: readonly Section[],
  elsewhere: boolean,
  context: Context,
): readonly Placed<Listener>[] {
  const httpsPort =
    sections.map((section) => parseEndpoint(section.text("https") ?? "")?.port).find(Boolean) ?? null;
  return sections.flatMap((section) => {
    const scheme = section.has("https") ? "https" : "http";
    if (section.has("http") !== section.has("https")) checkScheme(section, scheme, context);
    const tls = scheme === "https" ? readTls(section, elsewhere, context) : null;
    const redirects = section.text("redirectTo") !== null;
    if (redirects && scheme === "http" && httpsPort === null)
      context.problems.error(
        section.atOf("redirectTo"),
        `${section.where}: redirectTo: https needs an entry with https: under listen: of the same cluster`,
      );
    const text = section.text(scheme);
    const endpoint = text === null ? null : parseEndpoint(text);
    if (endpoint === null) return [];
    const listener: Listener = {
      scheme,
      address: endpoint.address ?? context.machine.anyAddress,
      port: endpoint.port,
      tls,
      http2: tls !== null && section.flag("http2") === true,
      redirectPort: redirects ? httpsPort : null,
      hsts: readHsts(section, context),
      proxyProtocol: section.flag("proxyProtocol") === true,
    };
    return [{ at: section.atOf(scheme), value: listener }];
  });
}

/** Keys that go with the other scheme. */
function checkScheme(section: Section, scheme: "http" | "https", { problems }: Context): void {
  const other = scheme === "http" ? "https" : "http";
  const foreign = scheme === "http" ? ["tls", "http2", "hsts", "clientCertificates"] : ["redirectTo"];
  for (const key of foreign.filter((name) => section.has(name)))
    problems.error(section.atOf(key), `${section.where}: ${key}: goes with ${other}:, not with ${scheme}:`);
}

/** RFC 6797, 6.1. */
function readHsts(section: Section, { problems }: Context): string | null {
  if (!section.has("hsts")) return null;
  const hsts = section.section("hsts");
  const maxAgeMs = hsts.number("maxAge");
  const subdomains = hsts.flag("subdomains") === true;
  const preload = hsts.flag("preload") === true;
  if (preload && !(subdomains && maxAgeMs >= 365 * 86_400_000))
    problems.warning(
      hsts.atOf("preload"),
      `${hsts.where}: browsers' lists take only sites with subdomains: true and a maxAge of 365d or more`,
    );
  const seconds = Math.floor(maxAgeMs / 1_000);
  return `max-age=${seconds}${subdomains ? "; includeSubDomains" : ""}${preload ? "; preload" : ""}`;
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
  const clientCertificates = readClientCertificates(section, elsewhere, context);
  return { certificates: placed.map(({ value }) => value), clientCertificates };
}

function readClientCertificates(
  section: Section,
  elsewhere: boolean,
  { folder, problems }: Context,
): ClientCertificateSettings | null {
  if (!section.has("clientCertificates")) return null;
  const clients = section.section("clientCertificates");
  const ca = clients.text("ca");
  if (ca === null) return null;
  const caPath = resolve(folder, ca);
  const caShown = shown(clients, "ca", folder);
  const read = elsewhere ? null : readAuthorities(caPath, caShown);
  if (read !== null && "trouble" in read)
    problems.error(clients.atOf("ca"), `${clients.where}: ${read.trouble}`);
  return { mode: clients.text("mode") === "optional" ? "optional" : "required", caPath, caShown };
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
