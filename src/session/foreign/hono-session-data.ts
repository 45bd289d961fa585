/**
 * Sessions as hono-sessions has them, to fields and back: each key of the application is a field of its own, so that they are merged
 * one by one.
 */
import type { FlotillaError } from "../../support/errors.ts";
import { changesOf, type Fields, type GivenSession } from "./foreign-sessions.ts";

/** `SessionData` of hono-sessions. */
export interface HonoSessionData<Value = unknown> {
  _id?: string;
  _data: Record<string, { value: Value; flash: boolean }>;
  /** ISO 8601, or null: the middleware knows of no end. */
  _expire: string | null;
  _delete: boolean;
  _accessed: string | null;
}

/** Of the application's keys, so that none of them is taken for one of the middleware's. */
const prefix = "data.";
const end = "_expire";
/** Instead of the moment of the end: it is moved by every use, and the store keeps the time anyway. */
const slides = "with each use";

export function sessionDataOf(given: GivenSession): HonoSessionData {
  const { [end]: expire, ...fields } = given.fields();
  const data: HonoSessionData["_data"] = {};
  for (const name of Object.keys(fields)) {
    const key = name.slice(prefix.length);
    if (name.startsWith(prefix) && key !== "__proto__") data[key] = fields[name] as (typeof data)[string];
  }
  const isFixed = typeof expire === "string" && expire !== slides;
  return { _data: data, _expire: isFixed ? expire : null, _delete: false, _accessed: null };
}

/**
 * When it was used is not kept: nobody asks for it, and each use would write it. Nor is the end of a session that is prolonged by its uses
 * (`autoExtendExpiration`), as soon as one was that changed nothing else.
 */
export function fieldsOf(session: HonoSessionData, given: GivenSession | null): Fields {
  const fields: Fields = {};
  for (const key of Object.keys(session._data)) fields[prefix + key] = session._data[key];
  if (session._expire !== null) fields[end] = isSliding(fields, given) ? slides : session._expire;
  return fields;
}

/** How long it lives from now on; null: the middleware knows of no end. */
export function leftMsOf({ _expire }: HonoSessionData): number | null {
  const leftMs = _expire === null ? Number.NaN : Date.parse(_expire) - Date.now();
  return Number.isNaN(leftMs) ? null : leftMs;
}

/** @param fields without the end. */
function isSliding(fields: Fields, given: GivenSession | null): boolean {
  const before = given?.entries.get(end);
  if (given === null || before === undefined) return false;
  const isOnlyEnd = changesOf(fields, given.entries).size === 1;
  return isOnlyEnd || before.text === JSON.stringify(slides);
}

/**
 * Of a session that could not be loaded: whoever reads it gets the error. hono-sessions takes an error of its store for a session that
 * there is not, and would send the visitor a new cookie in place of the one that leads to his; what it does with a session it does not catch.
 */
export function poisoned(error: FlotillaError): HonoSessionData {
  const fail = (): never => {
    throw error;
  };
  // A promise of it asks for `then`.
  const get = (_target: object, name: PropertyKey): unknown => (name === "then" ? undefined : fail());
  return new Proxy({}, { get, ownKeys: fail, set: () => true }) as HonoSessionData;
}
