/** `${file:NAME}` and `${env:NAME}` inside values. What they stand for never gets into a message. */
import { resolve } from "node:path";
import { config } from "../support/limits.ts";
import { type Problems, quote } from "./problems.ts";
import { readTextFile } from "./read-file.ts";
import type { ScalarNode } from "./tree.ts";

export interface SubstituteSources {
  /** `${file:}` names are relative to it. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * @param shell the value is a command line: other `${...}` are the shell's.
 * @returns the text, or null after telling the problem.
 */
export function substitute(
  node: ScalarNode,
  sources: SubstituteSources,
  problems: Problems,
  shell: boolean,
): string | null {
  if (!node.text.includes("${")) return node.text;
  let failed = false;
  const fail = (message: string): string => {
    problems.error(node.at, message);
    failed = true;
    return "";
  };
  const text = node.text.replace(/\$\{([^{}]*)(\}?)/g, (whole, inner: string, close: string) => {
    const colon = inner.indexOf(":");
    const kind = inner.slice(0, colon);
    const name = inner.slice(colon + 1);
    if (colon > 0 && close === "}" && kind === "file") return includeFile(name, sources.folder, fail);
    if (colon > 0 && close === "}" && kind === "env") return includeVariable(name, sources.env, fail);
    return shell ? whole : fail(`this \${...} is not known; known are \${file:NAME} and \${env:NAME}`);
  });
  if (failed) return null;
  if (text.length <= config.includedBytesMax) return text;
  problems.error(node.at, `this value is longer than ${config.includedBytesMax} characters`);
  return null;
}

/** True when messages about the value must show how it was written, not what it is. */
export function isSubstituted(node: ScalarNode): boolean {
  return node.text.includes("${");
}

function includeFile(name: string, folder: string, fail: (message: string) => string): string {
  if (name === "") return fail(`\${file:} needs the name of a file`);
  const path = resolve(folder, name);
  const { text, trouble } = readTextFile(path, config.includedBytesMax);
  if (trouble !== null) return fail(`cannot read ${quote(path)}: ${trouble}`);
  const trimmed = text.replace(/\r?\n$/, "");
  return trimmed === "" ? fail(`the file ${quote(path)} is empty`) : trimmed;
}

function includeVariable(
  name: string,
  env: SubstituteSources["env"],
  fail: (message: string) => string,
): string {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (value === undefined) return fail(`the environment variable ${quote(name)} is not set`);
  return value === "" ? fail(`the environment variable ${quote(name)} is empty`) : value;
}
