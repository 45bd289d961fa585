/** `tls:` of an engine outside of the servers: files of certificates, looked at where they are on this machine. */
import { resolve } from "node:path";
import { readAuthorities, readCertificate } from "./certificates.ts";
import type { Context } from "./context.ts";
import type { EngineTls } from "./model.ts";
import { quote } from "./problems.ts";
import type { Section } from "./section.ts";

/** @param elsewhere its servers are on other machines: files are not looked for here. */
export function buildTls(tls: Section, elsewhere: boolean, { folder, problems }: Context): EngineTls {
  const pathOf = (key: string): string | null => {
    const name = tls.text(key);
    return name === null ? null : resolve(folder, name);
  };
  const shown = (key: string): string => {
    const written = tls.writtenText(key);
    return quote(written.includes("${") ? written : resolve(folder, written));
  };
  const [caPath, certPath, keyPath] = [pathOf("ca"), pathOf("cert"), pathOf("key")];
  if (tls.has("cert") !== tls.has("key"))
    problems.error(tls.atOf(tls.has("cert") ? "cert" : "key"), `${tls.where}: cert: and key: go together`);
  if (caPath !== null && !elsewhere) {
    const read = readAuthorities(caPath, shown("ca"));
    if ("trouble" in read) problems.error(tls.atOf("ca"), `${tls.where}.ca: ${read.trouble}`);
  }
  const certificate = certPath === null || keyPath === null ? null : { certPath, keyPath };
  if (certificate !== null && !elsewhere) {
    const files = { ...certificate, certShown: shown("cert"), keyShown: shown("key") };
    for (const { of, what } of readCertificate(files).troubles)
      problems.error(tls.atOf(of), `${tls.where}.${of}: ${what}`);
  }
  return { caPath, certificate, serverName: tls.text("serverName") };
}
