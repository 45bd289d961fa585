/**
 * Which answers are compressed, by what, and what their heads say then (RFC 9110, 8.4 and 12.5.3). Only routes with
 * `compress:` come here. How: compressor.ts.
 */
// Not by their names: an import of what an older Node lacks would fail.
import * as zlib from "node:zlib";
import type { RequestHead } from "../http/request-head.ts";
import { compression as limits } from "../support/limits.ts";
import { type Coding, preferredCoding } from "./accept-encoding.ts";
import type { AnswerHead } from "./client.ts";
import type { Encoder } from "./compressor.ts";
import { fieldValue } from "./route-tests.ts";

// Windows bound an encoder's memory.
const gzipOptions: zlib.ZlibOptions = { level: 4, flush: zlib.constants.Z_SYNC_FLUSH };
const brotliOptions: zlib.BrotliOptions = {
  flush: zlib.constants.BROTLI_OPERATION_FLUSH,
  params: {
    [zlib.constants.BROTLI_PARAM_QUALITY]: 4,
    [zlib.constants.BROTLI_PARAM_LGWIN]: 18,
    [zlib.constants.BROTLI_PARAM_MODE]: zlib.constants.BROTLI_MODE_TEXT,
  },
};
const zstdOptions: zlib.ZstdOptions = {
  flush: zlib.constants.ZSTD_e_flush,
  params: { [zlib.constants.ZSTD_c_compressionLevel]: 3, [zlib.constants.ZSTD_c_windowLog]: 18 },
};

/** Node has it from 22.15 on. */
const hasZstd = typeof zlib.createZstdCompress === "function";
/** Those that cost least for what they save come first: these answers are made while somebody waits. */
const codings: readonly Coding[] = hasZstd ? ["zstd", "br", "gzip"] : ["br", "gzip"];

/** An encoder that gives out at once all that was written to it. */
export function encoderOf(coding: Coding): Encoder {
  switch (coding) {
    case "zstd":
      return zlib.createZstdCompress(zstdOptions);
    case "br":
      return zlib.createBrotliCompress(brotliOptions);
    case "gzip":
      return zlib.createGzip(gzipOptions);
  }
}

/** For bodies that are whole and short: a job for another thread costs the event loop more than doing it. */
export function compressed(coding: Coding, body: Buffer): Buffer {
  switch (coding) {
    case "zstd":
      return zlib.zstdCompressSync(body, zstdOptions);
    case "br":
      return zlib.brotliCompressSync(body, brotliOptions);
    case "gzip":
      return zlib.gzipSync(body, gzipOptions);
  }
}

/** Whether an answer would be compressed for a client that takes it. Events are short, and whoever reads them wants them at once. */
export function isWorthIt({ status, contentLength, fields }: AnswerHead): boolean {
  if (status < 200 || status === 204 || status === 205 || status === 206 || status === 304) return false;
  if (contentLength >= 0 && contentLength < limits.bytesMin) return false;
  const type = linesOf(fields, "content-type").split(";", 1)[0]!.trim().toLowerCase();
  if (!isText(type)) return false;
  if (linesOf(fields, "content-encoding") !== "" || linesOf(fields, "content-range") !== "") return false;
  return !/\bno-transform\b/i.test(linesOf(fields, "cache-control"));
}

const texts: ReadonlySet<string> = new Set([
  "application/javascript",
  "application/json",
  "application/xml",
  "application/wasm",
  "application/x-javascript",
  "application/x-ndjson",
  "application/x-www-form-urlencoded",
  "application/graphql",
  "application/vnd.ms-fontobject",
  "application/rtf",
  "font/otf",
  "font/ttf",
  "image/bmp",
  "image/x-icon",
  "image/vnd.microsoft.icon",
]);

function isText(type: string): boolean {
  if (type.startsWith("text/")) return type !== "text/event-stream";
  return texts.has(type) || type.endsWith("+json") || type.endsWith("+xml") || type.endsWith("+text");
}

let lastAccepted = "";
let lastCoding: Coding | null = null;

/** What the client takes and likes best, or null. HTTP/1.0 knows no chunks: its answers stay as they are. */
export function codingFor(request: RequestHead): Coding | null {
  if (request.versionMinor === 0) return null;
  const accepted = fieldValue(request.fields, "accept-encoding");
  if (accepted === null) return null;
  // Most browsers send one and the same.
  if (accepted !== lastAccepted) {
    lastCoding = preferredCoding(accepted, codings);
    // Not a part of the request's text: it would keep that alive.
    lastAccepted = Buffer.from(accepted, "latin1").toString("latin1");
  }
  return lastCoding;
}

/** Fields that speak of the very bytes of the body. */
const ofTheBytes: ReadonlySet<string> = new Set([
  "accept-ranges",
  "content-digest",
  "content-md5",
  "digest",
  "repr-digest",
]);

/** The head of an answer that depends on Accept-Encoding. @param coding null: it is sent as it is. */
export function variedHead(head: AnswerHead, coding: Coding | null, contentLength: number): AnswerHead {
  let fields = "";
  let varies = false;
  for (const line of head.fields.split("\r\n")) {
    if (line === "") continue;
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === "vary" && /(?:^|,)\s*(?:\*|accept-encoding)\s*(?:,|$)/i.test(value)) varies = true;
    if (coding !== null && ofTheBytes.has(name)) continue;
    // Other bytes than those of the app server: equal in meaning, which is what a weak tag says.
    fields +=
      coding !== null && name === "etag" && value.startsWith('"') ? `ETag: W/${value}\r\n` : `${line}\r\n`;
  }
  if (!varies) fields += "Vary: Accept-Encoding\r\n";
  if (coding !== null) fields += `Content-Encoding: ${coding}\r\n`;
  const { status, reason, hasDate } = head;
  return { status, reason, fields, contentLength, hasDate };
}

/** Lines of one name joined by ", "; "" when there is none. */
function linesOf(fields: string, name: string): string {
  let value = "";
  for (const line of fields.split("\r\n")) {
    if (line.length <= name.length || line.charCodeAt(name.length) !== 0x3a) continue;
    if (line.slice(0, name.length).toLowerCase() !== name) continue;
    value += `${value === "" ? "" : ", "}${line.slice(name.length + 1).trim()}`;
  }
  return value;
}
