/**
 * Where sessions of another library are kept (Redis, PostgreSQL, MySQL), read page by page and never written to. A page first tells
 * which sessions there are and how large; their texts are asked for in portions, so that no page is more than memory should hold.
 */
import { FlotillaError, messageOf } from "../../../support/errors.ts";
import { sessionImport as limits } from "../../../support/limits.ts";
import { within } from "../../../support/within.ts";

/** What it has, without its data. */
export interface Found {
  /** As the library handed it to its store. */
  readonly sid: string;
  /** Of the text, about; null: what stands under this name is no session. */
  readonly bytes: number | null;
  /** Infinity: it does not end by itself. */
  readonly leftMs: number;
}

export interface Page {
  readonly found: readonly Found[];
  /** Where the next one begins; null: that was all. */
  readonly next: string | null;
  /** How much of all was read by now, of 1; null: not known. */
  readonly share: number | null;
}

export interface SessionSource {
  /** For people, and for the file of `--resume`: "Redis at 10.0.0.5:6379/0, sess:*". Holds no secret. */
  readonly name: string;

  /** What whoever imports should know of it; null: nothing. */
  readonly note: string | null;

  /** Whether what was told of an earlier reading (`Page.next`) still leads to where it ended. */
  leadsOn(from: string): Promise<boolean>;

  /** @param from "" from the first. */
  page(from: string): Promise<Page>;

  /** Of these, in this order; null: it has gone meanwhile. No text is longer than `limits.session.dataBytesMax` and some. */
  texts(sids: readonly string[]): Promise<readonly (string | null)[]>;

  close(): Promise<void>;
}

export interface SourceOptions {
  /** What stands before ids in the names of keys. */
  readonly prefix: string | null;
  /** They are part of the ids. */
  readonly keepsPrefix: boolean;
  /** "session", "schema.session". */
  readonly table: string | null;
}

/** @param doing "read its sessions" @throws FlotillaError FLOTILLA_IMPORT_SOURCE */
export async function ask<T>(name: string, doing: string, asked: Promise<T>): Promise<T> {
  try {
    return await within(asked, limits.sourceTimeoutMs);
  } catch (error) {
    if (error instanceof FlotillaError) throw error;
    throw sourceFailed(`${name}: can't ${doing}: ${reasonOf(error)}`, error);
  }
}

export function sourceFailed(message: string, cause?: unknown): FlotillaError {
  return new FlotillaError("FLOTILLA_IMPORT_SOURCE", message, { source: "server", cause });
}

/** Some errors of connections are several, one for each address, and have no words of their own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  return messageOf(error) || "the connection failed";
}
