/**
 * Text -> tree with positions. YAML is read with the failsafe schema: every scalar stays the text that was
 * written, and the table of settings alone decides what it means ("port: 6800", "letter: 1", "access: off").
 */
import { type ErrorCode, isAlias, isMap, isScalar, isSeq, type Node, parseDocument } from "yaml";
import { config } from "../support/limits.ts";
import { type Position, type Problems, quote } from "./problems.ts";

export type TreeNode = MapNode | ListNode | ScalarNode | WrongNode;

export interface MapNode {
  readonly kind: "map";
  readonly at: Position;
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly key: string;
  readonly at: Position;
  readonly value: TreeNode;
}

export interface ListNode {
  readonly kind: "list";
  readonly at: Position;
  readonly items: readonly TreeNode[];
}

export interface ScalarNode {
  readonly kind: "scalar";
  readonly at: Position;
  /** As written, quotes and escapes undone, nothing substituted. */
  readonly text: string;
  /** Nothing, `null` or `~` was written. */
  readonly isNull: boolean;
}

/** What is wrong here is told already. */
export interface WrongNode {
  readonly kind: "wrong";
  readonly at: Position;
}

/** @returns the tree, or null when the text is no YAML or empty; what is wrong is in `problems`. */
export function parseTree(text: string, problems: Problems): MapNode | null {
  const reader = new Reader(new Lines(text), problems);
  try {
    const document = parseDocument(text, {
      prettyErrors: false,
      schema: "failsafe",
      merge: false,
      // The reader finds doubled keys itself: in linear time, and it names both places.
      uniqueKeys: false,
    });
    // The parser's own words may quote the text, and the text may be a secret: only its codes are used.
    const errors = [...document.errors, ...document.warnings];
    // A tab makes what follows look wrong too.
    const tabs = errors.filter(({ code }) => code === "TAB_AS_INDENT");
    for (const { code, pos } of tabs.length > 0 ? tabs : errors) {
      problems.error(reader.position(pos[0]), syntaxMessages[code] ?? "this is not valid YAML");
    }
    if (problems.hasErrors) return null;
    if (document.contents === null) {
      problems.error({ line: 1, column: 1 }, "the file is empty; it needs at least secret: and clusters:");
      return null;
    }
    const root = reader.read(document.contents);
    if (root.kind === "map") return root;
    problems.error(root.at, `the file must be keys and values like "secret: ...", not ${describe(root)}`);
  } catch (thrown) {
    // The YAML library descends by recursion.
    if (!(thrown instanceof RangeError) && !(thrown instanceof TooLarge)) throw thrown;
    const at = thrown instanceof TooLarge ? thrown.at : { line: 1, column: 1 };
    problems.error(at, thrown instanceof TooLarge ? thrown.message : "the file nests too deeply");
  }
  return null;
}

/** What a value is, for messages; never its text. */
export function describe(node: TreeNode): string {
  if (node.kind === "map") return "a section of keys";
  if (node.kind === "list") return "a list";
  if (node.kind === "wrong") return "a mistake";
  return node.isNull ? "nothing" : "a single value";
}

class TooLarge extends Error {
  readonly at: Position;

  constructor(at: Position, message: string) {
    super(message);
    this.at = at;
  }
}

/** Where lines begin. (The library's LineCounter misses some line ends in text that is no YAML.) */
class Lines {
  readonly #starts: number[] = [0];
  readonly #length: number;

  constructor(text: string) {
    this.#length = text.length;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1))
      this.#starts.push(end + 1);
  }

  position(anyOffset: number): Position {
    const offset = Math.min(Math.max(0, anyOffset), this.#length);
    let low = 0;
    for (let high = this.#starts.length; low + 1 < high; ) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - this.#starts[low]! + 1 };
  }
}

class Reader {
  readonly #lines: Lines;
  readonly #problems: Problems;
  readonly #anchors = new Map<string, Node>();
  /** Collections around the one that is read: an alias to one of them would never end. */
  readonly #open = new Set<Node>();
  #nodes = 0;

  constructor(lines: Lines, problems: Problems) {
    this.#lines = lines;
    this.#problems = problems;
  }

  position(offset: number): Position {
    return this.#lines.position(offset);
  }

  read(node: Node): TreeNode {
    const at = this.position(node.range?.[0] ?? 0);
    if (++this.#nodes > config.nodesMax) {
      throw new TooLarge(
        at,
        `the file has more than ${config.nodesMax} keys and values (each use of an alias counts)`,
      );
    }
    if (isAlias(node)) return this.#readAlias(node.source, at);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isScalar(node)) return readScalar(node.value, node.type === "PLAIN", at);
    if (this.#open.size >= config.depthMax) {
      throw new TooLarge(at, `sections nest deeper than ${config.depthMax}`);
    }
    this.#open.add(node);
    const read = isMap(node)
      ? this.#readMap(node.items as Pairs, at)
      : { kind: "list" as const, at, items: this.#readItems(node) };
    this.#open.delete(node);
    return read;
  }

  #readItems(node: Node): TreeNode[] {
    return isSeq(node) ? node.items.map((item) => this.read(item as Node)) : [];
  }

  #readMap(pairs: Pairs, at: Position): MapNode {
    const entries: Entry[] = [];
    const seen = new Map<string, Position>();
    for (const pair of pairs) {
      const key = this.read(pair.key);
      const value = pair.value === null ? readScalar("", true, key.at) : this.read(pair.value);
      if (key.kind !== "scalar") {
        this.#problems.error(key.at, `a key must be a name, not ${describe(key)}`);
        continue;
      }
      const first = seen.get(key.text);
      if (first !== undefined) {
        this.#problems.error(
          key.at,
          `${quote(key.text)} stands twice in this section (first in line ${first.line})`,
        );
        continue;
      }
      seen.set(key.text, key.at);
      entries.push({ key: key.text, at: key.at, value });
    }
    return { kind: "map", at, entries };
  }

  #readAlias(name: string, at: Position): TreeNode {
    const target = this.#anchors.get(name);
    if (target !== undefined && !this.#open.has(target)) return this.read(target);
    this.#problems.error(
      at,
      target === undefined
        ? "this alias has no anchor (&name) before it"
        : "this alias is inside of what it stands for",
    );
    return { kind: "wrong", at };
  }
}

type Pairs = readonly { readonly key: Node; readonly value: Node | null }[];

function readScalar(value: unknown, plain: boolean, at: Position): ScalarNode {
  const text = typeof value === "string" ? value : "";
  return { kind: "scalar", at, text, isNull: plain && (text === "" || text === "null" || text === "~") };
}

const syntaxMessages: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_DIRECTIVE: "this YAML directive is not known",
  BAD_DQ_ESCAPE: "this escape is not known inside double quotes (use '...', or write \\\\ for a backslash)",
  BAD_INDENT: "the indentation is wrong, or a bracket or brace is not closed",
  BAD_SCALAR_START: "a value that begins with this character must be in quotes",
  BLOCK_AS_IMPLICIT_KEY:
    'a second "key: value" in one line (put it on a line of its own, or the value in quotes)',
  BLOCK_IN_FLOW: "inside brackets or braces, only brackets and braces may nest",
  KEY_OVER_1024_CHARS: "this key is too long",
  MISSING_CHAR:
    'a character is missing here: a ":" after a key, a comma, or a closing quote, bracket or brace',
  MULTILINE_IMPLICIT_KEY: 'this key goes over more than one line (is a ":" missing?)',
  MULTIPLE_DOCS: 'a second document begins here ("---"); the file must be one',
  TAB_AS_INDENT: "a tab indents this line; YAML allows only spaces",
  TAG_RESOLVE_FAILED: "tags (!name) are not known here (a value that begins with ! must be in quotes)",
  UNEXPECTED_TOKEN: "this does not belong here (is a quote, a comma or an indentation wrong?)",
};
