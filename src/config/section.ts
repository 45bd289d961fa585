/**
 * Tree -> values, by the table of settings alone: known keys, types, bounds, required keys. What is wrong is
 * told and left out, so that the checks that follow see only what is right and tell nothing twice.
 */

import { nearest, suggestion } from "./nearest.ts";
import { type Position, type Problems, quote } from "./problems.ts";
import { nameTypes, type ScalarValue, scalars } from "./scalars.ts";
import type { Setting } from "./settings/setting.ts";
import type { Shape } from "./shape.ts";
import { isSubstituted, type SubstituteSources, substitute } from "./substitute.ts";
import { describe, type Entry, type ListNode, type MapNode, type ScalarNode, type TreeNode } from "./tree.ts";

export interface ScalarItem {
  readonly kind: "scalar";
  readonly at: Position;
  readonly value: ScalarValue;
  /** As it stands in the file: what `${file:}` and `${env:}` stand for is not for messages. */
  readonly written: string;
}

interface NamedItems {
  readonly kind: "named";
  readonly entries: readonly NamedSection[];
  readonly values: readonly NamedValue[];
}

/** An entry whose value is no section: `x-beta: "1"`. */
export interface NamedValue {
  readonly name: string;
  /** Of the name. */
  readonly at: Position;
  readonly value: ScalarItem;
}

export interface NamedSection {
  readonly name: string;
  /** Of the name. */
  readonly at: Position;
  readonly section: Section;
}

interface ListItems {
  readonly kind: "list";
  readonly items: readonly (Section | ScalarItem)[];
}

type Value = Section | ScalarItem | NamedItems | ListItems;

/** The values of one section. Absent keys give the defaults of the table. */
export class Section {
  readonly kind = "section";
  readonly at: Position;
  /** "clusters.app.servers.app-a", for messages. */
  readonly where: string;
  readonly shape: Shape;
  /** Every key written, also where its value was wrong. */
  readonly written: ReadonlyMap<string, Position>;
  readonly #values: ReadonlyMap<string, Value>;

  constructor(
    at: Position,
    where: string,
    shape: Shape,
    written: ReadonlyMap<string, Position>,
    values: ReadonlyMap<string, Value>,
  ) {
    this.at = at;
    this.where = where;
    this.shape = shape;
    this.written = written;
    this.#values = values;
  }

  has(key: string): boolean {
    return this.written.has(key);
  }

  /** Of the key's value where it is right, else of the key, else of the section. */
  atOf(key: string): Position {
    const value = this.#values.get(key);
    if (value?.kind === "scalar") return value.at;
    return this.written.get(key) ?? this.at;
  }

  /** The written text, the default, or null: the key is absent or wrong. */
  text(key: string): string | null {
    const value = this.#scalar(key);
    return typeof value === "string" ? value : null;
  }

  /** The value as it stands in the file, for messages. */
  writtenText(key: string): string {
    const value = this.#values.get(key);
    return value?.kind === "scalar" ? value.written : "";
  }

  /** The written number or the default; NaN where the value was wrong (the file is refused then). */
  number(key: string): number {
    const value = this.#scalar(key);
    return typeof value === "number" ? value : Number.NaN;
  }

  /** The written flag or the default; null where the value was wrong (the file is refused then). */
  flag(key: string): boolean | null {
    const value = this.#scalar(key);
    return typeof value === "boolean" ? value : null;
  }

  /** An absent section is one with nothing but defaults. */
  section(key: string): Section {
    const value = this.#values.get(key);
    if (value?.kind === "section") return value;
    return new Section(this.at, `${this.where}.${key}`, this.#shapeOf(key), new Map(), new Map());
  }

  named(key: string): readonly NamedSection[] {
    const value = this.#values.get(key);
    return value?.kind === "named" ? value.entries : [];
  }

  namedValues(key: string): readonly NamedValue[] {
    const value = this.#values.get(key);
    return value?.kind === "named" ? value.values : [];
  }

  sections(key: string): readonly Section[] {
    return this.#items(key).filter((item) => item.kind === "section");
  }

  scalarItems(key: string): readonly ScalarItem[] {
    return this.#items(key).filter((item) => item.kind === "scalar");
  }

  #items(key: string): ListItems["items"] {
    const value = this.#values.get(key);
    return value?.kind === "list" ? value.items : [];
  }

  #scalar(key: string): ScalarValue | undefined {
    const value = this.#values.get(key);
    if (value?.kind === "scalar") return value.value;
    return this.has(key) ? undefined : this.#shapeOf(key).setting.default;
  }

  #shapeOf(key: string): Shape {
    const shape = this.shape.keys.get(key);
    if (shape === undefined) throw new Error(`no row for ${this.where}.${key} in the table of settings`);
    return shape;
  }
}

/** Reads sections by their shape. */
export class SectionReader {
  readonly #sources: SubstituteSources;
  readonly #problems: Problems;

  constructor(sources: SubstituteSources, problems: Problems) {
    this.#sources = sources;
    this.#problems = problems;
  }

  readSection(node: MapNode, at: Position, where: string, shape: Shape): Section {
    const written = new Map<string, Position>();
    const values = new Map<string, Value>();
    for (const entry of node.entries) {
      const known = shape.keys.get(entry.key);
      if (known === undefined) {
        const meant = this.#unknownKey(entry, where, shape);
        // A mistyped key is not told a second time as a missing one.
        if (meant !== null && !written.has(meant)) written.set(meant, entry.at);
        continue;
      }
      written.set(entry.key, entry.at);
      const value = this.#readValue(
        entry.value,
        entry.at,
        where === "" ? entry.key : `${where}.${entry.key}`,
        known,
      );
      if (value !== null) values.set(entry.key, value);
    }
    const place = where === "" ? "the file" : where;
    for (const [key, { setting }] of shape.keys) {
      if (setting.required === true && !written.has(key)) {
        this.#problems.error(at, `${place} needs ${key}: (${firstSentence(setting.description)})`);
      }
    }
    this.#checkOneOf(shape.setting, written, at, place);
    return new Section(at, where, shape, written, values);
  }

  #checkOneOf(setting: Setting, written: ReadonlyMap<string, Position>, at: Position, place: string): void {
    if (setting.oneOf === undefined) return;
    const [first, second] = setting.oneOf.filter((key) => written.has(key));
    const words = setting.oneOf.map((key) => `${key}:`).join(" or ");
    if (first === undefined) this.#problems.error(at, `${place} needs ${words}`);
    else if (second !== undefined) {
      this.#problems.error(
        written.get(second)!,
        `${place} has ${first}: and ${second}:; allowed is one, ${words}`,
      );
    }
  }

  #readValue(node: TreeNode, keyAt: Position, where: string, shape: Shape): Value | null {
    const { setting } = shape;
    if (setting.orSingle === true && (node.kind === "map" || (node.kind === "scalar" && !node.isNull))) {
      const only = this.#readValue(node, keyAt, where, shape.each!);
      return only?.kind === "section" || only?.kind === "scalar" ? { kind: "list", items: [only] } : null;
    }
    if (setting.shortFor !== undefined && node.kind === "scalar" && !node.isNull) {
      const value = { key: setting.shortFor, at: node.at, value: node };
      return this.readSection({ kind: "map", at: node.at, entries: [value] }, keyAt, where, shape);
    }
    if (setting.planned === true) {
      this.#problems.warning(keyAt, `${where}: is not in force in this version`);
    }
    const kind =
      setting.type === "section" || setting.type === "named"
        ? "map"
        : setting.type === "list"
          ? "list"
          : "scalar";
    if (node.kind === "wrong") return null;
    if (node.kind !== kind || (node.kind === "scalar" && node.isNull)) {
      this.#problems.error(node.at, `${where}: found ${describe(node)}, allowed is ${this.#allowed(shape)}`);
      return null;
    }
    if (node.kind === "scalar") return this.#readScalar(node, where, setting);
    if (node.kind === "list") return this.#readList(node, where, shape);
    if (setting.type === "section") return this.readSection(node, keyAt, where, shape);
    return this.#readNamed(node, where, shape);
  }

  #allowed(shape: Shape): string {
    const { type, shortFor, orSingle } = shape.setting;
    if (shortFor !== undefined) {
      const short = this.#allowed(shape.keys.get(shortFor)!);
      return `${short}, or a section with ${keyList(shape)}`;
    }
    if (orSingle === true) return `${this.#allowed(shape.each!)}, or a list of them`;
    if (type === "section") return `a section with ${keyList(shape)}`;
    if (type === "named") return "a section whose keys are names";
    if (type === "list") return `a list ("- ..." or [...])`;
    return scalars[type].allowed(shape.setting);
  }

  #readNamed(node: MapNode, where: string, shape: Shape): NamedItems {
    const entries: NamedSection[] = [];
    const values: NamedValue[] = [];
    const { names = "name" } = shape.setting;
    this.#checkCount(node.entries.length, node.at, where, shape.setting);
    for (const { key, at, value } of node.entries.slice(0, shape.setting.maximum)) {
      const name = nameTypes[names].parse(key);
      if (name === null) {
        this.#problems.error(
          at,
          `${where}: found the name ${quote(key)}, allowed ${nameTypes[names].allowed}`,
        );
      }
      const read = this.#readValue(value, at, `${where}.${name ?? quote(key)}`, shape.each!);
      if (name === null) continue;
      if (read?.kind === "section") entries.push({ name, at, section: read });
      else if (read?.kind === "scalar") values.push({ name, at, value: read });
    }
    return { kind: "named", entries, values };
  }

  #readList(node: ListNode, where: string, shape: Shape): ListItems {
    const items: (Section | ScalarItem)[] = [];
    this.#checkCount(node.items.length, node.at, where, shape.setting);
    for (const [index, item] of node.items.slice(0, shape.setting.maximum).entries()) {
      const read = this.#readValue(item, item.at, `${where}[${index}]`, shape.each!);
      if (read?.kind === "section" || read?.kind === "scalar") items.push(read);
    }
    return { kind: "list", items };
  }

  #checkCount(count: number, at: Position, where: string, { minimum = 0, maximum = 0 }: Setting): void {
    if (count >= minimum && count <= maximum) return;
    const found = count === 0 ? "no entry" : `${count} entries`;
    this.#problems.error(at, `${where}: found ${found}, allowed are ${minimum} to ${maximum}`);
  }

  #readScalar(node: ScalarNode, where: string, setting: Setting): ScalarItem | null {
    const type = setting.type as keyof typeof scalars;
    const text = substitute(node, this.#sources, this.#problems, type === "command");
    if (text === null) return null;
    if (type === "secret") return this.#readSecret(node, text, where, setting);
    const value = scalars[type].parse(text, setting);
    if (value === null || outOfBounds(value, setting)) {
      const hint = isSubstituted(node) ? "" : suggestion(text, setting.choices ?? []);
      const trouble = isSubstituted(node) ? null : (scalars[type].trouble?.(text) ?? null);
      const why = trouble === null ? "" : ` (${trouble})`;
      this.#problems.error(
        node.at,
        `${where}: found ${quote(withoutPassword(node.text))}${why}, allowed is ${scalars[type].allowed(setting)}${hint}`,
      );
      return null;
    }
    return { kind: "scalar", at: node.at, value, written: node.text };
  }

  /** Apart from the other values, because no message may show any of it. */
  #readSecret(node: ScalarNode, text: string, where: string, setting: Setting): ScalarItem | null {
    const bytes = Buffer.byteLength(text);
    if (bytes >= (setting.minimum ?? 0)) return { kind: "scalar", at: node.at, value: text, written: "" };
    this.#problems.error(
      node.at,
      `${where}: found ${bytes} bytes, allowed is ${scalars.secret.allowed(setting)}`,
    );
    return null;
  }

  /** @returns the key that was probably meant. */
  #unknownKey({ key, at }: Entry, where: string, shape: Shape): string | null {
    const place = where === "" ? "the file" : where;
    const hint = suggestion(key, shape.keys.keys());
    this.#problems.error(at, `unknown key ${quote(key)} in ${place}${hint}; allowed are ${keyList(shape)}`);
    return nearest(key, shape.keys.keys());
  }
}

function outOfBounds(value: ScalarValue, { minimum, maximum }: Setting): boolean {
  if (typeof value !== "number" || value === Number.POSITIVE_INFINITY) return false;
  return value < (minimum ?? 0) || value > (maximum ?? Number.MAX_SAFE_INTEGER);
}

/** A URL may name a user and a password; neither is allowed, and neither is printed. */
function withoutPassword(text: string): string {
  return text.replace(/\/\/[^/]*@/, "//...@");
}

function keyList(shape: Shape): string {
  return [...shape.keys.keys()].join(", ");
}

function firstSentence(text: string): string {
  return text.split(/[.;] |\.$|; /, 1)[0]!;
}
