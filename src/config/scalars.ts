/** What a single value of the file may be: one entry per type, for the check, the messages and the JSON Schema. */
import { BlockList, isIP, isIPv6 } from "node:net";
import {
  durationPattern,
  formatDuration,
  formatSize,
  parseDuration,
  parseRate,
  parseSize,
  ratePattern,
  sizePattern,
} from "./quantities.ts";
import { regexTrouble } from "./regex.ts";
import type { NameType, ScalarType, Setting } from "./settings/setting.ts";
import { templateTrouble } from "./template.ts";

export type ScalarValue = string | number | boolean;

export interface Scalar {
  /** The value in the units of the table, or null when the text is none. Bounds are checked by the caller. */
  parse(text: string, setting: Setting): ScalarValue | null;
  /** What is allowed, after "allowed is". */
  allowed(setting: Setting): string;
  /** What exactly is wrong with the text, or null when `allowed` says enough. */
  trouble?(text: string): string | null;
  /** JSON Schema (draft-07) of the value as an editor sees it. */
  schema(setting: Setting): Record<string, unknown>;
}

export interface Endpoint {
  /** Null: all addresses. */
  readonly address: string | null;
  readonly port: number;
}

const nameSource = "[a-z0-9][a-z0-9-]{0,62}";
/** token of RFC 9110, section 5.6.2. */
const tokenSource = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}";
const hostSource = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})?(\\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})?)*";
const name = new RegExp(`^${nameSource}$`);
const host = new RegExp(`^${hostSource}$`);
/** token of RFC 9110, section 5.6.2, as RFC 6265 wants cookie names. */
const cookieNameSource = `^${tokenSource}$`;
/** "{png,gif}" */
const choicesSource = "\\{[^*{}/,]+(,[^*{}/,]+)*\\}";
/** One star and one choice at most, in the last part of the path: no pattern is slow to match (A48). */
const lastPartSource = `[^*{}/]*(${choicesSource}[^*{}/]*)?`;
const pathSource = `^(/([^*{}]*/)?[^*{}/]*\\*?${lastPartSource}|\\*${lastPartSource})$`;
const path = new RegExp(pathSource);

export function isName(text: string): boolean {
  return name.test(text);
}

/** Names that the file chooses. */
export const nameTypes: Readonly<Record<"name" | NameType, NameTypeEntry>> = {
  name: {
    parse: (text) => (isName(text) ? text : null),
    allowed: 'are up to 63 of a-z, 0-9 and "-", not "-" first',
    source: nameSource,
  },
  fieldName: {
    parse: (text) => (new RegExp(`^${tokenSource}$`).test(text) ? text : null),
    allowed: "is the name of a header field",
    source: tokenSource,
  },
  answerStatus: {
    parse: (text) => (/^(?:[45][0-9]{2}|[45]xx)$/.test(text) ? text : null),
    allowed: "is a status from 400 to 599, or 4xx or 5xx for all others of them",
    source: "([45][0-9]{2}|[45]xx)",
  },
  parameterName: {
    parse: (text) => (/^[^\0-\x1f]{1,256}$/.test(text) ? text : null),
    allowed: "is the name of a parameter, without escapes",
    source: ".{1,256}",
  },
};

interface NameTypeEntry {
  /** The name, or null when the text is none. */
  readonly parse: (text: string) => string | null;
  /** After "allowed". */
  readonly allowed: string;
  /** Of a regular expression, for the JSON Schema. */
  readonly source: string;
}

/** Lower-case address or host name, or null. Addresses that mean "all" are none. */
export function parseAddress(text: string): string | null {
  const lower = text.toLowerCase();
  if (isIP(lower) !== 0)
    return lower === "0.0.0.0" || isUnspecified(lower) || lower.includes("%") ? null : lower;
  // A name whose last label is a number would be read as an IPv4 address by some parts of the system.
  return lower.length <= 253 && host.test(lower) && !/(^|\.)(\d+|0x[0-9a-f]*)$/.test(lower) ? lower : null;
}

/** "80", "127.0.0.1:80", "[::1]:80". */
export function parseEndpoint(text: string): Endpoint | null {
  const parts = /^(?:(.+):)?(\d{1,5})$/.exec(text);
  if (parts === null) return null;
  const port = Number(parts[2]);
  if (port < 1 || port > 65_535) return null;
  if (parts[1] === undefined) return { address: null, port };
  const bracketed = /^\[(.+)\]$/.exec(parts[1]);
  if (bracketed === null && parts[1].includes(":")) return null;
  const address = (bracketed?.[1] ?? parts[1]).toLowerCase();
  if (isIP(address) !== 0 && !address.includes("%")) return { address, port };
  return bracketed === null && parseAddress(address) !== null ? { address, port } : null;
}

export interface PlainTarget {
  readonly scheme: "http" | "https" | "unix";
  /** Lower-case address or name; "" of a Unix socket. */
  readonly address: string;
  /** 0 of a Unix socket. */
  readonly port: number;
  readonly authority: string;
  readonly socketPath: string | null;
}

/** What the kernel takes as the path of a Unix socket, its last byte being 0. */
const socketPathBytesMax = 107;

/** "http://host:port", "https://host:port" or "unix:/path", or null. */
export function parsePlainServer(text: string): PlainTarget | null {
  if (text.startsWith("unix:")) return parseUnixSocket(text.slice(5));
  if (!/^https?:\/\/[^/?#@\\\s]+\/?$/i.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  const scheme = url.protocol === "https:" ? "https" : "http";
  const address = parseAddress(url.hostname.replace(/^\[(.*)\]$/, "$1"));
  const port = url.port === "" ? (scheme === "https" ? 443 : 80) : Number(url.port);
  return address === null || port === 0
    ? null
    : { scheme, address, port, authority: url.host, socketPath: null };
}

/** nginx's "unix:/path:/uri" is none: a colon would leave open where the path ends. */
function parseUnixSocket(path: string): PlainTarget | null {
  if (!/^\/[^:\0-\x1f]+$/.test(path) || Buffer.byteLength(path) > socketPathBytesMax) return null;
  return { scheme: "unix", address: "", port: 0, authority: "localhost", socketPath: path };
}

export function isUnspecified(address: string): boolean {
  return address === "0.0.0.0" || (isIPv6(address) && /^[0:.]+$/.test(address));
}

const oneLine = { type: "string", minLength: 1 };
const ofPattern = (pattern: string): Record<string, unknown> => ({ type: "string", pattern });

/** Whether a table of a database may have it; also with its schema before a dot. */
export function isTableName(text: string): boolean {
  return new RegExp(tableName).test(text);
}

const tableName = "^([a-z_][a-z0-9_]{0,62}\\.)?[a-z_][a-z0-9_]{0,62}$";

export const scalars: Readonly<Record<ScalarType, Scalar>> = {
  secret: {
    parse: (text) => text,
    allowed: ({ minimum = 1 }) =>
      minimum > 1 ? `a text of at least ${minimum} bytes; "flotilla secret" makes one` : "a text",
    schema: ({ minimum }) => ({ type: "string", minLength: minimum }),
  },
  flag: {
    parse: (text) => (text === "true" ? true : text === "false" ? false : null),
    allowed: () => "true or false",
    schema: () => ({ type: "boolean" }),
  },
  integer: {
    parse: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : null),
    allowed: ({ minimum, maximum }) => `a whole number from ${minimum} to ${maximum}`,
    schema: ({ minimum, maximum }) => ({ type: "integer", minimum, maximum }),
  },
  integerOrAuto: {
    parse: (text, setting) => (text === "auto" ? text : scalars.integer.parse(text, setting)),
    allowed: (setting) => `${scalars.integer.allowed(setting)}, or auto`,
    schema: ({ minimum, maximum }) => ({ anyOf: [{ type: "integer", minimum, maximum }, { const: "auto" }] }),
  },
  duration: {
    parse: parseDuration,
    allowed: ({ minimum, maximum }) =>
      `a duration with its unit (ms, s, m, h, d) from ${formatDuration(minimum ?? 0)} to ${formatDuration(maximum ?? 0)}`,
    schema: () => ofPattern(durationPattern),
  },
  durationOrUnlimited: {
    parse: (text) => (text === "unlimited" ? Number.POSITIVE_INFINITY : parseDuration(text)),
    allowed: (setting) => `${scalars.duration.allowed(setting)}, or unlimited`,
    schema: () => ofPattern(`^unlimited$|${durationPattern}`),
  },
  size: {
    parse: parseSize,
    allowed: ({ minimum, maximum }) =>
      `a size with its unit (B, KB, KiB, MB, MiB, GB, GiB, TB, TiB) from ${formatSize(minimum ?? 0)} to ${formatSize(maximum ?? 0)}`,
    schema: () => ofPattern(sizePattern),
  },
  sizeOrUnlimited: {
    parse: (text) => (text === "unlimited" ? Number.POSITIVE_INFINITY : parseSize(text)),
    allowed: (setting) => `${scalars.size.allowed(setting)}, or unlimited`,
    schema: () => ofPattern(`^unlimited$|${sizePattern}`),
  },
  choice: {
    parse: (text, { choices = [] }) => (choices.includes(text) ? text : null),
    allowed: ({ choices = [] }) => choices.join(", "),
    schema: ({ choices = [] }) => ({ enum: choices }),
  },
  letter: {
    parse: (text) => (/^[a-zA-Z0-9]$/.test(text) ? text : null),
    allowed: () => "one of a to z, A to Z, 0 to 9",
    // 0 to 9 without quotes is a number to an editor.
    schema: () => ({ type: ["string", "integer"], pattern: "^[a-zA-Z0-9]$", minimum: 0, maximum: 9 }),
  },
  address: {
    parse: parseAddress,
    allowed: () => "an IP address or a host name on which the other servers reach this one, without a port",
    schema: () => oneLine,
  },
  endpoint: {
    parse: (text) => (parseEndpoint(text) === null ? null : text),
    allowed: () => 'a port from 1 to 65535 or "address:port" ("[address]:port" with IPv6)',
    schema: () => ({
      type: ["integer", "string"],
      minimum: 1,
      maximum: 65_535,
      pattern: "^(.+:)?[0-9]{1,5}$",
    }),
  },
  url: {
    parse: (text) => (parsePlainServer(text) === null ? null : text),
    allowed: () => '"http://host:port" or "https://host:port" without a path, or "unix:/path/of/the.socket"',
    schema: () => ofPattern("^([hH][tT][tT][pP][sS]?://[^/?#@\\\\\\s]+/?|unix:/[^:]+)$"),
  },
  hostField: {
    parse: (text) => {
      const target = /[/:]{2}|[/?#@\\\s]/.test(text) ? null : parsePlainServer(`http://${text}`);
      return target === null ? null : target.authority;
    },
    allowed: () => 'a host name or an IP address, with or without a port ("shop.example.com")',
    schema: () => oneLine,
  },
  serverName: {
    parse: (text) => (isIP(text) === 0 ? parseAddress(text) : null),
    allowed: () => "a host name, without a port",
    schema: () => oneLine,
  },
  file: { parse: parsePath, allowed: () => "the name of a file", schema: () => oneLine },
  folder: { parse: parsePath, allowed: () => "the name of a folder", schema: () => oneLine },
  fileName: {
    parse: (text) => (/^[^/\0-\x1f.][^/\0-\x1f]{0,254}$/.test(text) ? text : null),
    allowed: () => "the name of a file, without its folder and not with a dot first",
    schema: () => oneLine,
  },
  filePath: {
    parse: (text) => (isFilePath(text) ? text : null),
    allowed: () => 'the path of a file from the folder on, as "/index.html"',
    schema: () => ofPattern("^/[^/]"),
  },
  command: {
    parse: (text) => (text.trim() === "" || text.includes("\0") ? null : text.trim()),
    allowed: () => 'a command line like "node server.js"',
    schema: () => oneLine,
  },
  hostPattern: {
    parse: parseHostPattern,
    allowed: () => 'a host name, "*.name" for all names below it, or an IP address; without a port',
    schema: () => oneLine,
  },
  pathPattern: {
    parse: parsePathPattern,
    allowed: () =>
      '"/foo" (that path), "/foo/*" (it and all below it), "*.png" or "/foo/*.{png,gif}" (names that end so)',
    schema: () => ofPattern(pathSource),
  },
  network: {
    parse: (text) => (isNetwork(text) ? text.toLowerCase() : null),
    allowed: () => 'an IP address or a network like "10.0.0.0/8"',
    schema: () => oneLine,
  },
  clusterName: {
    parse: (text) => text,
    allowed: () => "the name of a cluster of this file",
    schema: () => ({ type: ["string", "integer"] }),
  },
  cookieName: {
    parse: (text) => (new RegExp(cookieNameSource).test(text) ? text : null),
    allowed: () => "up to 64 letters, digits or !#$%&'*+-.^_`|~",
    schema: () => ofPattern(cookieNameSource),
  },
  method: {
    parse: (text) => (/^[A-Z][A-Z-]{0,22}$/.test(text) && !/^(CONNECT|TRACE|PRI)$/.test(text) ? text : null),
    allowed: () => "a method in capital letters, as GET; not CONNECT and TRACE, which are never taken",
    schema: () => ofPattern("^[A-Z][A-Z-]{0,22}$"),
  },
  regex: {
    parse: (text) => (regexTrouble(text) === null ? text : null),
    allowed: () => "a regular expression as RE2 knows it: no look-around, no backreferences",
    trouble: regexTrouble,
    schema: () => ({ type: "string" }),
  },
  flagOrFile: {
    parse: (text) => (text === "true" || text === "false" ? text === "true" : text === "" ? null : text),
    allowed: () => "true, false or the name of a file",
    schema: () => ({ type: ["boolean", "string"], minLength: 1 }),
  },
  fieldName: {
    parse: nameTypes.fieldName.parse,
    allowed: () => "the name of a header field",
    schema: () => ofPattern(`^${tokenSource}$`),
  },
  fieldValue: {
    parse: (text) => (isFieldValue(text) ? text : null),
    allowed: () => "visible ASCII characters, spaces between them",
    schema: () => oneLine,
  },
  parameterValue: {
    parse: (text) => (/[\0-\x1f]/.test(text) || text.length > 1_024 ? null : text),
    allowed: () => "a text without control characters, as it is without escapes",
    schema: () => ({ type: ["string", "number"] }),
  },
  template: {
    parse: (text) => (isFieldValue(text) && templateTrouble(text) === null ? text : null),
    allowed: () =>
      "visible ASCII characters, with $1 to $9, $path, $query, $host, $scheme or $client in it ($$ is $)",
    trouble: templateTrouble,
    schema: () => oneLine,
  },
  body: {
    parse: (text) => (text.length > 65_536 ? null : text),
    allowed: () => "a text of up to 65536 characters",
    schema: () => ({ type: "string" }),
  },
  rate: {
    parse: (text) => (parseRate(text) === null ? null : text),
    allowed: () => "a number of requests per s, m or h, as 10/s",
    schema: () => ofPattern(ratePattern),
  },
  percent: {
    parse: (text) => (/^\d{1,6}%$/.test(text) ? Number(text.slice(0, -1)) : null),
    allowed: ({ minimum, maximum }) => `a percentage from ${minimum}% to ${maximum}%`,
    schema: () => ofPattern("^[0-9]{1,6}%$"),
  },
  statusRange: {
    parse: (text) => (parseStatusRange(text) === null ? null : text),
    allowed: () => 'a status from 200 to 599 or a range of them, as "200-399"',
    schema: () => ({
      type: ["string", "integer"],
      pattern: "^[2-5][0-9]{2}(-[2-5][0-9]{2})?$",
      minimum: 200,
      maximum: 599,
    }),
  },
  checkTarget: {
    parse: (text) => (/^\/[!-~]{0,1023}$/.test(text) && !text.includes("#") ? text : null),
    allowed: () => 'a path, perhaps with a query, as "/healthz"',
    schema: () => ofPattern("^/[^#\\s]*$"),
  },
  keyPrefix: {
    parse: (text) => (/^[!-~]{1,200}$/.test(text) ? text : null),
    allowed: () => 'up to 200 visible ASCII characters without spaces, as "/flotilla/"',
    schema: () => ofPattern("^[!-~]{1,200}$"),
  },
  tableName: {
    parse: (text) => (isTableName(text) ? text : null),
    allowed: () =>
      'small letters, digits and _ up to 63, as "flotilla_shop", with a schema "ops.flotilla_shop"',
    schema: () => ofPattern(tableName),
  },
  logTarget: {
    parse: (text) => (/[{}]/.test(text.replaceAll("{server}", "")) ? null : parsePath(text)),
    allowed: () => 'the name of a file (with {server} for the server\'s name), "-" or off',
    schema: () => ({ type: ["string", "boolean"] }),
  },
};

/** A default as the file would write it, or null. */
export function defaultText({ type, default: value }: Setting): string | null {
  if (value === undefined) return null;
  if (value === Number.POSITIVE_INFINITY) return "unlimited";
  if (type === "duration") return formatDuration(Number(value));
  if (type === "percent") return `${value}%`;
  return type === "size" || type === "sizeOrUnlimited" ? formatSize(Number(value)) : String(value);
}

/** "200-399" or "204"; @returns null when it is no range. */
export function parseStatusRange(text: string): { readonly from: number; readonly to: number } | null {
  const parts = /^([2-5]\d\d)(?:-([2-5]\d\d))?$/.exec(text);
  if (parts === null) return null;
  const from = Number(parts[1]);
  const to = Number(parts[2] ?? parts[1]);
  return from <= to ? { from, to } : null;
}

function parsePath(text: string): string | null {
  return text === "" || /[\0-\x1f]/.test(text) ? null : text;
}

function parseHostPattern(text: string): string | null {
  const lower = text.toLowerCase();
  const plain = lower.startsWith("*.") ? lower.slice(2) : lower;
  const bracketed = /^\[(.+)\]$/.exec(lower);
  if (bracketed !== null) return isIPv6(bracketed[1]!) ? new URL(`http://${lower}/`).hostname : null;
  if (isIP(lower) === 4) return lower;
  return host.test(plain) && plain.length <= 253 ? lower : null;
}

/** Requests are matched in their canonical form, so a pattern that is not canonical would fit none. */
function parsePathPattern(text: string): string | null {
  if (text.length > 1_024 || !path.test(text)) return null;
  return /[^\x21-\x7e]|[?#\\]|\/\/|\/\.\.?(\/|$)/.test(text) ? null : text;
}

/** Any of it leaves in a head: no line ends, nothing wider than a byte (A22). */
function isFieldValue(text: string): boolean {
  return text.length <= 4_096 && /^[!-~]([ -~]*[!-~])?$/.test(text);
}

function isFilePath(text: string): boolean {
  return /^(\/[^/\0-\x1f.][^/\0-\x1f]{0,254})+$/.test(text) && text.length <= 1_024;
}

export function isNetwork(text: string): boolean {
  const parts = /^([^/]+?)(?:\/(\d{1,3}))?$/.exec(text);
  const family = parts === null || parts[1]!.includes("%") ? 0 : isIP(parts[1]!);
  if (parts === null || family === 0) return false;
  if (parts[2] === undefined) return true;
  try {
    new BlockList().addSubnet(parts[1]!, Number(parts[2]), family === 6 ? "ipv6" : "ipv4");
    return true;
  } catch {
    return false;
  }
}
