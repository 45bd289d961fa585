/** The files of `tls:` of an engine outside of the servers, read: for each connection anew, because certificates are replaced. */
import { readFile } from "node:fs/promises";
import type { EngineTls } from "./model.ts";

/** Texts, in PEM. */
export interface TlsTexts {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** What is not named is not there. @throws what the system says of a file. */
export async function readTlsFiles(tls: EngineTls | null): Promise<TlsTexts> {
  const read = async (path: string | undefined | null): Promise<string | undefined> =>
    path == null ? undefined : await readFile(path, "utf8");
  const [ca, cert, key] = await Promise.all([
    read(tls?.caPath),
    read(tls?.certificate?.certPath),
    read(tls?.certificate?.keyPath),
  ]);
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}
