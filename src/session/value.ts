/**
 * Session values as text and back (R37): JSON, and beyond it Date, Map, Set, BigInt, Buffer, NaN and the
 * infinities. A text that needs more than JSON begins with "$" and marks such values by objects of one key
 * ("$date", "$map", ...); all other texts are plain JSON.
 *
 * As with JSON, a class instance becomes a plain object, `toJSON` is honoured and properties that are undefined
 * vanish. Unlike JSON, what would silently come back as something else (a function, a promise, an error) is refused.
 */
import { FlotillaError, messageOf } from "../support/errors.ts";
import { session as limits } from "../support/limits.ts";
import { visibleJson } from "../support/words.ts";

type Plain = Record<string, unknown>;

const marker = "$";

/**
 * @param name the session's key, where paths in messages begin.
 * @throws FlotillaError FLOTILLA_SESSION_NOT_SERIALIZABLE or FLOTILLA_SESSION_TOO_LARGE naming the path,
 *   e.g. `req.session.cart.items[3].fn`.
 */
export function encode(value: unknown, name: string): string {
  const inspection = new Inspection(name);
  // In UTF-8 it would be another key, on the other servers: JSON escapes half characters in values, nobody does in names.
  if (!name.isWellFormed()) inspection.refuse("its name has half a character (a lone surrogate)");
  try {
    inspection.look(value);
    const text = inspection.beyondJson ? marker + JSON.stringify(mark(value)) : JSON.stringify(value);
    if (text === undefined) inspection.refuse("its toJSON() returns nothing");
    return text;
  } catch (thrown) {
    if (thrown instanceof FlotillaError) throw thrown;
    return inspection.refuse(`to read it throws ${JSON.stringify(messageOf(thrown).slice(0, 200))}`);
  }
}

/** The value of a text made by `encode`; a new one with every call. */
export function decode(text: string): unknown {
  return text.startsWith(marker) ? unmark(JSON.parse(text.slice(marker.length))) : JSON.parse(text);
}

/**
 * Whether a living value certainly still encodes to the same text as `committed`, which came from `decode`.
 * Allocates nothing to speak of. False may also mean "can't say": then the texts decide.
 */
export function isSame(living: unknown, committed: unknown): boolean {
  if (living === committed) return true;
  if (typeof living !== "object" || living === null || typeof committed !== "object" || committed === null) {
    return Number.isNaN(living) && Number.isNaN(committed);
  }
  const prototype = Object.getPrototypeOf(living);
  if (prototype === Array.prototype)
    return Array.isArray(committed) && sameItems(living as unknown[], committed);
  if (prototype === Object.prototype) {
    return (
      Object.getPrototypeOf(committed) === Object.prototype && sameFields(living as Plain, committed as Plain)
    );
  }
  if (prototype === Date.prototype) return committed instanceof Date && isSame(+(living as Date), +committed);
  if (prototype === Map.prototype) {
    const map = living as Map<unknown, unknown>;
    return committed instanceof Map && map.size === committed.size && sameItems([...map], [...committed]);
  }
  if (prototype === Set.prototype) {
    const set = living as Set<unknown>;
    return committed instanceof Set && set.size === committed.size && sameItems([...set], [...committed]);
  }
  return false;
}

function sameItems(living: readonly unknown[], committed: readonly unknown[]): boolean {
  if (living.length !== committed.length) return false;
  for (let i = 0; i < living.length; i++) if (!isSame(living[i], committed[i])) return false;
  return true;
}

/** In step, because the order of fields is part of the text. */
function sameFields(living: Plain, committed: Plain): boolean {
  const names = Object.keys(committed);
  let seen = 0;
  for (const name of Object.keys(living)) {
    const value = living[name];
    if (value === undefined) continue;
    if (names[seen++] !== name || !isSame(value, committed[name])) return false;
  }
  return seen === names.length;
}

/**
 * One walk over a value: is all of it serializable, and is JSON enough? It ends where the text must become longer than
 * a session may be: an array of four billion holes, or forty levels that each refer to the next one twice, are quickly made.
 */
class Inspection {
  beyondJson = false;
  /** That the text will have at least. */
  #bytes = 0;
  readonly #path: (string | number)[];
  readonly #ancestors: object[] = [];

  constructor(name: string) {
    this.#path = [name];
  }

  look(value: unknown): void {
    switch (typeof value) {
      case "string":
        this.#count(value.length);
        return;
      case "boolean":
      case "undefined":
        return;
      case "number":
        if (!Number.isFinite(value)) this.beyondJson = true;
        return;
      case "bigint":
        this.beyondJson = true;
        return;
      case "function":
        this.refuse("it is a function");
        break;
      case "symbol":
        this.refuse("it is a symbol");
        break;
      case "object":
        if (value !== null) this.#lookInto(value);
        return;
    }
  }

  refuse(reason: string): never {
    throw new FlotillaError(
      "FLOTILLA_SESSION_NOT_SERIALIZABLE",
      `${pathText(this.#path)} can't be kept: ${reason}. Keep plain data in the session (JSON, Date, Map, Set, BigInt, Buffer).`,
      { source: "server" },
    );
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= limits.dataBytesMax) return;
    throw new FlotillaError(
      "FLOTILLA_SESSION_TOO_LARGE",
      `${pathText(this.#path)} goes beyond the ${limits.dataBytesMax} bytes that a session may have. ` +
        "Keep such data in a database, its id in the session.",
      { source: "server" },
    );
  }

  #lookInto(value: object): void {
    if (this.#ancestors.includes(value)) this.refuse("it refers back to itself");
    if (this.#ancestors.length === limits.depthMax)
      this.refuse(`it is nested deeper than ${limits.depthMax} levels`);
    this.#ancestors.push(value);
    if (Array.isArray(value)) this.#lookAtAll(value);
    else if (value instanceof Map || value instanceof Set) this.#lookAtMembers(value);
    else if (value instanceof Uint8Array) this.#lookAtBytes(value);
    else if (value instanceof Date) this.beyondJson = true;
    else if (hasToJson(value)) this.#lookAtJson(value, value.toJSON());
    else this.#lookAtFields(value as Plain);
    this.#ancestors.pop();
  }

  /** It may say that it is fine as it is. */
  #lookAtJson(value: object, json: unknown): void {
    if (json === value) this.#lookAtFields(value as Plain);
    else this.look(json);
  }

  #lookAtFields(value: Plain): void {
    const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
    if (tag !== "Object")
      this.refuse(tag === "Promise" ? "it is a promise (a missing await?)" : `it is a ${tag}`);
    for (const name of Object.keys(value)) {
      const field = value[name];
      if (field === undefined || isToJson(name, field)) continue;
      // Quotes, colon, and a comma or brace.
      this.#count(name.length + 4);
      this.#lookAt(name, field);
    }
  }

  #lookAtBytes(value: Uint8Array): void {
    this.beyondJson = true;
    this.#count(value.length);
  }

  #lookAtMembers(value: Map<unknown, unknown> | Set<unknown>): void {
    this.beyondJson = true;
    this.#count(value.size);
    this.#lookAtAll(value instanceof Map ? [...value].flat() : [...value]);
  }

  #lookAtAll(items: readonly unknown[]): void {
    // Of each item one character at least, and a comma or bracket.
    this.#count(2 * items.length);
    for (let i = 0; i < items.length; i++) this.#lookAt(i, items[i]);
  }

  #lookAt(step: string | number, value: unknown): void {
    // Primitives are most of the data: no path is kept for what can't be refused.
    if (value === null) return;
    if (typeof value === "string" && this.#bytes + value.length <= limits.dataBytesMax) {
      this.#bytes += value.length;
      return;
    }
    this.#path.push(step);
    this.look(value);
    this.#path.pop();
  }
}

function pathText(path: readonly (string | number)[]): string {
  const steps = path.map((step) => {
    if (typeof step === "number") return `[${step}]`;
    const isIdentifier = /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(step);
    return isIdentifier ? `.${step}` : `[${visibleJson(step.slice(0, 100))}]`;
  });
  return `req.session${steps.join("")}`;
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

/** Other functions are refused; this one has been asked, and JSON leaves it out. */
function isToJson(name: string, field: unknown): boolean {
  return name === "toJSON" && typeof field === "function";
}

/** A tree that JSON can carry; the value itself stays as it is. */
function mark(value: unknown): unknown {
  if (typeof value === "bigint") return { $bigint: String(value) };
  if (typeof value === "number") return Number.isFinite(value) ? value : { $number: String(value) };
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return Array.from(value, mark);
  if (value instanceof Date) return { $date: Number.isNaN(+value) ? null : +value };
  if (value instanceof Map) return { $map: Array.from(value, ([key, item]) => [mark(key), mark(item)]) };
  if (value instanceof Set) return { $set: Array.from(value, mark) };
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  const json = hasToJson(value) ? value.toJSON() : value;
  return json === value ? markFields(value as Plain) : mark(json);
}

function markFields(value: Plain): Plain {
  // Without a prototype, "__proto__" is a name like any other (A40).
  const marked: Plain = Object.create(null);
  for (const name of Object.keys(value)) {
    const item = value[name];
    if (item !== undefined && !isToJson(name, item)) marked[name] = mark(item);
  }
  return markOf(marked) === null ? marked : { $plain: marked };
}

/** The one key of an object that looks like a mark, or null. */
function markOf(value: object): string | null {
  const names = Object.keys(value);
  return names.length === 1 && names[0]!.startsWith(marker) ? names[0]! : null;
}

function unmark(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(unmark);
  const name = markOf(value);
  if (name === null) return unmarkFields(value as Plain);
  const content = (value as Plain)[name];
  switch (name) {
    case "$bigint":
      return BigInt(content as string);
    case "$number":
      return Number(content);
    case "$date":
      return new Date((content as number | null) ?? Number.NaN);
    case "$map":
      return new Map((content as [unknown, unknown][]).map(([key, item]) => [unmark(key), unmark(item)]));
    case "$set":
      return new Set((content as unknown[]).map(unmark));
    case "$bytes":
      return Buffer.from(content as string, "base64");
    default:
      return unmarkFields(content as Plain);
  }
}

/** In place: JSON.parse made every name an own property, so that even "__proto__" is only written over. */
function unmarkFields(value: Plain): Plain {
  for (const name of Object.keys(value)) value[name] = unmark(value[name]);
  return value;
}
