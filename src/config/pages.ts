/** `errorPages:` and `maintenance:`: small files that are read with the file itself, so that showing them can't fail. */
import { extname, resolve } from "node:path";
import { config as limits } from "../support/limits.ts";
import type { Context } from "./context.ts";
import type { Maintenance, OwnPage } from "./model.ts";
import { type Position, quote } from "./problems.ts";
import { readTextFile } from "./read-file.ts";
import type { Section } from "./section.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".htm": "text/html; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".json": "application/json",
  ".xml": "application/xml",
};

/** @param elsewhere this machine runs no server of the cluster: the files may be missing here. */
export function buildErrorPages(
  section: Section,
  elsewhere: boolean,
  context: Context,
): ReadonlyMap<string, OwnPage> {
  const pages = new Map<string, OwnPage>();
  for (const { name, at, value } of section.namedValues("errorPages")) {
    const where = `${section.where}.errorPages.${name}`;
    const page = readPage(String(value.value), value.written, { where, at, elsewhere }, context);
    if (page !== null) pages.set(name, page);
  }
  if (section.flag("interceptErrors") === true && pages.size === 0 && !section.has("errorPages")) {
    context.problems.error(
      section.atOf("interceptErrors"),
      `${section.where}: interceptErrors: needs errorPages:, the pages that take the place of the application's`,
    );
  }
  return pages;
}

/** @param elsewhere this machine runs servers, but none of a web tier: the file may be missing here. */
export function buildMaintenance(section: Section, elsewhere: boolean, context: Context): Maintenance | null {
  if (!section.has("maintenance")) return null;
  const flag = section.flag("maintenance");
  if (flag !== null) return flag ? { page: null } : null;
  const path = section.text("maintenance");
  if (path === null) return null;
  const place = { where: `${section.where}.maintenance`, at: section.atOf("maintenance"), elsewhere };
  return { page: readPage(path, section.writtenText("maintenance"), place, context) };
}

interface Place {
  readonly where: string;
  readonly at: Position;
  readonly elsewhere: boolean;
}

/** @param written as it stands in the file: what `${...}` stands for is not shown. */
function readPage(
  name: string,
  written: string,
  { where, at, elsewhere }: Place,
  { folder, problems }: Context,
): OwnPage | null {
  const path = resolve(folder, name);
  const type = types[extname(path).toLowerCase()];
  if (type === undefined) {
    const known = Object.keys(types).join(", ");
    problems.error(
      at,
      `${where}: found ${quote(written)}, allowed is the name of a file that ends in ${known}`,
    );
    return null;
  }
  const { text, trouble } = readTextFile(path, limits.pageBytesMax);
  if (trouble === null) return { type, text: Buffer.from(text).toString("latin1") };
  const shown = quote(written.includes("${") ? written : path);
  if (!elsewhere) problems.error(at, `${where}: cannot read ${shown}: ${trouble}`);
  return null;
}
