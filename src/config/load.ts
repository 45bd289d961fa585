/** The way of a file: text -> tree with positions -> values by the table -> checked and frozen `ClusterFile`. */
import { dirname, resolve } from "node:path";
import { FlotillaError } from "../support/errors.ts";
import { config } from "../support/limits.ts";
import { buildFile } from "./build.ts";
import { freezeDeep } from "./freeze.ts";
import { type Machine, thisMachine } from "./local.ts";
import type { ClusterFile } from "./model.ts";
import { formatProblem, type Problem, Problems } from "./problems.ts";
import { readTextFile } from "./read-file.ts";
import { SectionReader } from "./section.ts";
import { fileShape } from "./shape.ts";
import { parseTree } from "./tree.ts";

export interface LoadOptions {
  /** For `${env:NAME}`; default process.env. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Wall-clock milliseconds since 1970, for the dates of certificates; default now. */
  readonly now?: number;
  /** The machine that this is, for tests. */
  readonly machine?: Machine;
}

export interface LoadResult {
  /** Null when there is an error. */
  readonly file: ClusterFile | null;
  /** All errors, warnings and notes, in the order of the file. */
  readonly problems: readonly Problem[];
}

/** Reads and checks a file. Never throws for what is in the file, or for the lack of it. */
export function loadClusterFile(path: string, options: LoadOptions = {}): LoadResult {
  const { text, trouble } = readTextFile(resolve(path), config.fileBytesMax);
  if (text !== null) return checkClusterText(text, path, options);
  const problems = new Problems(path);
  problems.error({ line: 1, column: 1 }, `cannot read the file: ${trouble}`);
  return { file: null, problems: problems.list() };
}

/** The same for a text that is, or would be, the content of the file at `path`. */
export function checkClusterText(text: string, path: string, options: LoadOptions = {}): LoadResult {
  const problems = new Problems(path);
  const tree = parseTree(text, problems);
  if (tree === null) return { file: null, problems: problems.list() };
  const absolute = resolve(path);
  const folder = dirname(absolute);
  const sources = { folder, env: options.env ?? process.env };
  const top = { line: 1, column: 1 };
  const root = new SectionReader(sources, problems).readSection(tree, top, "", fileShape);
  const file = buildFile(root, absolute, {
    problems,
    folder,
    dataFolder: resolve(folder, root.text("data") ?? "."),
    now: options.now ?? Date.now(),
    machine: options.machine ?? thisMachine(),
  });
  return { file: problems.hasErrors ? null : freezeDeep(file), problems: problems.list() };
}

/**
 * The file, or an error whose message holds every problem, one a line. Warnings alone throw nothing.
 * @throws FlotillaError FLOTILLA_CONFIG_INVALID
 */
export function loadOrThrow(path: string, options: LoadOptions = {}): ClusterFile {
  const { file, problems } = loadClusterFile(path, options);
  if (file !== null) return file;
  throw new FlotillaError("FLOTILLA_CONFIG_INVALID", problems.map(formatProblem).join("\n"));
}
