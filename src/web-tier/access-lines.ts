/**
 * What one line of the access log looks like: Apache's and nginx's "combined", one JSON object, or HAProxy's "httplog".
 * Whatever bytes a client sent, a line stays one line and its parts stay apart (A47).
 */
import type { AccessLogSettings } from "../config/model.ts";
import type { ClientOrigin } from "./forwarded.ts";

/** One finished request. Times are in milliseconds, -1 where the request did not come so far. */
export interface AccessEntry {
  readonly clientAddress: string;
  readonly clientPort: number;
  /** "TLSv1.3", or "" without TLS. */
  readonly tls: string;
  readonly method: string;
  readonly target: string;
  /** Of HTTP: "1.0", "1.1" or "2.0". */
  readonly version: string;
  readonly host: string;
  readonly referer: string;
  readonly userAgent: string;
  readonly requestId: string;
  /** 0 when the client left before an answer. */
  readonly status: number;
  /** Body bytes that the client sent. */
  readonly receivedBytes: number;
  /** Body bytes sent to the client. */
  readonly sentBytes: number;
  /** From the first byte of the head until it was read. */
  readonly headMs: number;
  /** While no app server had room. */
  readonly queueMs: number;
  /** For a connection to the app server: 0 when one was free. */
  readonly connectMs: number;
  /** From then on until the head of the answer came. */
  readonly answerMs: number;
  /** From the first byte of the head until the last byte of the answer was handed to the kernel. */
  readonly durationMs: number;
  /** Cluster of the app server, or "". */
  readonly cluster: string;
  /** Name of the app server that answered, or "". */
  readonly server: string;
  /** How many app servers were tried. */
  readonly attempts: number;
  /** Who ended it, and during what. */
  readonly ending: Ending;
  /** Why the request was refused unread, a code of docs/errors.md; else "". */
  readonly reason: string;
}

/**
 * HAProxy's termination state: C the client, S the server, P the web server itself, L answered here as the file says;
 * c and s the same by their silence. R while the request, Q a place at a server, C the connection, H the answer's head, D its body was
 * waited for.
 */
export type Ending =
  | "--"
  | "LR"
  | "PR"
  | "cR"
  | "CR"
  | "CQ"
  | "CH"
  | "CD"
  | "SC"
  | "sQ"
  | "SH"
  | "PH"
  | "sH"
  | "SD"
  | "PD"
  | "sD";

/** Of a request whose head was refused: it can't be told what it asked for. @param durationMs since its first byte. */
export function refusedEntry(
  origin: ClientOrigin,
  version: string,
  status: number,
  sentBytes: number,
  durationMs: number,
  reason: string,
): AccessEntry {
  return {
    clientAddress: origin.address,
    clientPort: origin.port,
    tls: origin.tls,
    method: "-",
    target: "-",
    version,
    host: "",
    referer: "",
    userAgent: "",
    requestId: "",
    status,
    receivedBytes: 0,
    sentBytes,
    headMs: -1,
    queueMs: -1,
    connectMs: -1,
    answerMs: -1,
    durationMs,
    cluster: "",
    server: "",
    attempts: 0,
    ending: status === 408 ? "cR" : "PR",
    reason,
  };
}

export type LineMaker = (entry: AccessEntry) => string;

/** @param site name of the web tier's cluster. @param openConnections of browsers, now. */
export function lineMaker(
  format: AccessLogSettings["format"],
  site: string,
  openConnections: () => number,
): LineMaker {
  if (format === "json") return jsonLine;
  if (format === "httplog") return (entry) => httpLogLine(entry, site, openConnections());
  return combinedLine;
}

function combinedLine(entry: AccessEntry): string {
  const referer = entry.referer === "" ? "-" : escaped(entry.referer);
  const userAgent = entry.userAgent === "" ? "-" : escaped(entry.userAgent);
  return `${entry.clientAddress} - - [${commonLogTime()}] "${entry.method} ${escaped(entry.target)} HTTP/${entry.version}" ${entry.status} ${entry.sentBytes} "${referer}" "${userAgent}"\n`;
}

function jsonLine(entry: AccessEntry): string {
  const line = JSON.stringify({
    time: new Date().toISOString(),
    ...entry,
    headMs: thousandths(entry.headMs),
    queueMs: thousandths(entry.queueMs),
    connectMs: thousandths(entry.connectMs),
    answerMs: thousandths(entry.answerMs),
    durationMs: thousandths(entry.durationMs),
  });
  return `${beyondAscii.test(line) ? line.replace(eachBeyondAscii, unicodeEscape) : line}\n`;
}

/**
 * As HAProxy writes with `option httplog` (its configuration manual, section 8.2.3), without a syslog prefix. What does
 * not exist here is written as HAProxy does when there is nothing to tell: no captures, no places in queues.
 */
function httpLogLine(entry: AccessEntry, site: string, open: number): string {
  const { headMs, queueMs, connectMs, answerMs, durationMs } = entry;
  const waitMs = entry.attempts === 0 && queueMs === 0 ? -1 : whole(queueMs);
  const times = `${whole(headMs)}/${waitMs}/${whole(connectMs)}/${whole(answerMs)}/${whole(durationMs)}`;
  const frontend = entry.tls === "" ? site : `${site}~`;
  const backend =
    entry.server === "" ? `${entry.cluster || site}/<NOSRV>` : `${entry.cluster}/${entry.server}`;
  const retries = entry.attempts > 1 ? `+${entry.attempts - 1}` : "0";
  const request =
    entry.method === "-" ? "<BADREQ>" : `${entry.method} ${hashEscaped(entry.target)} HTTP/${entry.version}`;
  return `${entry.clientAddress}:${entry.clientPort} [${preciseTime(Date.now() - durationMs)}] ${frontend} ${backend} ${times} ${entry.status || -1} ${entry.sentBytes} - - ${entry.ending}-- ${open}/${open}/0/0/${retries} 0/0 "${request}"\n`;
}

/** -1 stays -1. */
function thousandths(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function whole(ms: number): number {
  return Math.round(ms);
}

// JSON lets these stand, and some of them move a terminal's cursor too.
const beyondAscii = /[\x7f-\uffff]/;
const eachBeyondAscii = /[\x7f-\uffff]/g;

function unicodeEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

// Anything that could end a quoted part, start a new line or move a terminal's cursor.
const unsafe = /["\\\x00-\x1f\x7f-\uffff]/;
const eachUnsafe = /["\\\x00-\x1f\x7f-\uffff]/g;

/** As nginx writes it: `\x22`. */
function escaped(text: string): string {
  return unsafe.test(text) ? text.replace(eachUnsafe, (char) => `\\x${upperHex(char)}`) : text;
}

const hashUnsafe = /["#\x00-\x1f\x7f-\uffff]/g;

/** As HAProxy writes it: `#22`. */
function hashEscaped(text: string): string {
  return text.replace(hashUnsafe, (char) => `#${upperHex(char)}`);
}

function upperHex(char: string): string {
  return char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
let stampSecond = 0;
let stamp = "";

/** 21/Nov/2026:07:45:32 +0000: now, in UTC. */
function commonLogTime(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== stampSecond) {
    stampSecond = second;
    stamp = `${dateAndTime(new Date(second * 1000))} +0000`;
  }
  return stamp;
}

/** 21/Nov/2026:07:45:32.123, in UTC. */
function preciseTime(atMs: number): string {
  const date = new Date(atMs);
  return `${dateAndTime(date)}.${String(date.getUTCMilliseconds()).padStart(3, "0")}`;
}

function dateAndTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${two(date.getUTCDate())}/${months[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}
