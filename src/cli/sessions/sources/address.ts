/**
 * `--from` of `flotilla sessions import`: a URL as libraries of databases take it. `${file:NAME}` and `${env:NAME}` stand for what is
 * not to be seen in a list of processes. No message holds any of it but the host and what is behind it.
 */
import { readFileSync } from "node:fs";
import { FlotillaError, messageOf } from "../../../support/errors.ts";

export interface SourceAddress {
  readonly kind: "redis" | "postgres" | "mysql";
  /** With its password. */
  readonly url: string;
  /** "10.0.0.5:6379/0" */
  readonly place: string;
  /** Its password stood on the command line. */
  readonly isOpen: boolean;
}

const kinds: Readonly<Record<string, SourceAddress["kind"]>> = {
  ...{ "redis:": "redis", "rediss:": "redis", "postgres:": "postgres", "postgresql:": "postgres" },
  ...{ "mysql:": "mysql", "mariadb:": "mysql", "valkey:": "redis", "valkeys:": "redis" },
};
/** Of PostgreSQL. The library takes a word that it does not know for `disable`. */
const sslModes: readonly string[] = [
  ...["disable", "allow", "prefer", "require", "verify-ca", "verify-full", "no-verify"],
];

/** @throws FlotillaError FLOTILLA_IMPORT_FROM */
export function readAddress(text: string, env: NodeJS.ProcessEnv = process.env): SourceAddress {
  const written = substituted(text, env);
  if (!URL.canParse(written))
    throw wrong(
      "it is no URL, as redis://10.0.0.5:6379 is (in a password, % @ : / ? # are written %25 %40 %3A %2F %3F %23)",
    );
  const url = new URL(written);
  const kind = kinds[url.protocol];
  if (kind === undefined)
    throw wrong(
      `sessions are read from redis://, rediss://, postgres:// and mysql://, and from the file of a checkpoint, not from ${url.protocol}//`,
    );
  const sslMode = url.searchParams.get("sslmode");
  if (kind === "postgres" && sslMode !== null && !sslModes.includes(sslMode))
    throw wrong(`its sslmode is none of ${sslModes.join(", ")}`);
  const isOpen = url.password !== "" && URL.canParse(text) && new URL(text).password === url.password;
  // Libraries know Valkey by the name of Redis.
  const known = written.replace(/^valkey(s?):/i, "redis$1:");
  return { kind, url: known, place: `${url.host}${url.pathname === "/" ? "" : url.pathname}`, isOpen };
}

/** A part of it is put in as a URL has it, so that any password may be; all of it as it stands in the file. */
function substituted(text: string, env: NodeJS.ProcessEnv): string {
  const whole = /^\$\{(\w+):([^{}]*)\}$/.exec(text);
  if (whole !== null) return substitute(whole[1]!, whole[2]!, env);
  return text.replace(/\$\{(\w*):?([^{}]*)\}/g, (_, kind: string, name: string) =>
    encodeURIComponent(substitute(kind, name, env)),
  );
}

function substitute(kind: string, name: string, env: NodeJS.ProcessEnv): string {
  const value = kind === "env" ? env[name] : kind === "file" ? contentOf(name) : undefined;
  if (value) return value;
  if (kind === "env") throw wrong(`the environment variable "${name}" is not set, or empty`);
  if (kind === "file") throw wrong(`the file "${name}" is empty`);
  throw wrong(`this \${...} is not known; known are \${file:NAME} and \${env:NAME}`);
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw wrong(`the file "${path}" can't be read: ${messageOf(error)}`);
  }
}

/** @param why holds nothing of its user and password. */
export function wrong(why: string): FlotillaError {
  return new FlotillaError("FLOTILLA_IMPORT_FROM", `--from can't be used: ${why}`, { source: "client" });
}
