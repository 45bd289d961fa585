/**
 * Step "rewrite": the fields that tell an app server who asked. They are always written by us: what a client
 * sends under these names goes on only when it comes from a network that the file trusts (A17).
 */
import { randomBytes } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import type { Listener } from "../config/model.ts";
import { hostOf } from "../http/host.ts";
import { type RequestHead, versionOf } from "../http/request-head.ts";
import type { ClientCertificate } from "../tls/client-certificate.ts";
import { plainAddress } from "./networks.ts";

/** What the settings of its listener mean for all requests of a connection. */
export interface ListenerFacts {
  readonly scheme: "http" | "https";
  /** "Strict-Transport-Security: ... CR LF" for every answer, or "". */
  readonly hstsLine: string;
  /** The port of HTTPS that every request is sent on to, or 0. */
  readonly redirectPort: number;
}

export function factsOf({ scheme, hsts, redirectPort }: Listener): ListenerFacts {
  return {
    scheme,
    hstsLine: hsts === null ? "" : `Strict-Transport-Security: ${hsts}\r\n`,
    redirectPort: redirectPort ?? 0,
  };
}

/**
 * The fields that name the client by its certificate, as `forwardedFields`. What a client sends under these names never goes on.
 * @param certificate null: it need not show one, and has not.
 */
export function certificateFields(certificate: ClientCertificate | null): string {
  if (certificate === null) return "\nX-Client-Cert-Verified\nNONE";
  const { subject, fingerprint } = certificate;
  return `\nX-Client-Cert-Verified\nSUCCESS\nX-Client-Cert-Subject\n${subject}\nX-Client-Cert-Fingerprint\n${fingerprint}`;
}

/** What is the same for all requests of one connection, made once. */
export class ClientOrigin {
  readonly address: string;
  readonly port: number;
  readonly scheme: "http" | "https";
  /** "TLSv1.3", or "" without TLS. */
  readonly tls: string;
  readonly hstsLine: string;
  readonly redirectPort: number;
  /** `certificateFields`, or "" where clients are not asked for certificates. */
  readonly certificateFields: string;
  /** Its own X-Forwarded fields are believed. */
  readonly trusted: boolean;
  /** Lines 3 to 7 of the link's request metadata. */
  readonly linkLines: string;
  /** Our own element of Forwarded (RFC 7239) up to the host's value. */
  readonly element: string;
  /** The fields of an untrusted client up to the host's first value, and from there up to its second. */
  readonly untrustedBegin: string;
  readonly untrustedFields: string;

  constructor(
    client: { address: string; port: number; localAddress: string; localPort: number },
    { scheme, hstsLine, redirectPort }: ListenerFacts,
    trusted: boolean,
    tls: string,
    certificateFields: string,
  ) {
    this.address = plainAddress(client.address);
    this.port = client.port;
    this.scheme = scheme;
    this.tls = tls;
    this.hstsLine = hstsLine;
    this.redirectPort = redirectPort;
    this.certificateFields = certificateFields;
    this.trusted = trusted;
    const local = plainAddress(client.localAddress);
    this.linkLines = `${scheme}\n${this.address}\n${client.port}\n${local}\n${client.localPort}`;
    this.element = `for=${nodeOf(this.address)};proto=${scheme};host="`;
    this.untrustedBegin = `${certificateFields}\nForwarded\n${this.element}`;
    this.untrustedFields = `"\nX-Forwarded-For\n${this.address}\nX-Forwarded-Proto\n${scheme}\nX-Forwarded-Host\n`;
  }
}

/** "name\nvalue..." with a leading LF, to be put behind the request's own fields. */
export function forwardedFields(head: RequestHead, origin: ClientOrigin, requestId: string): string {
  const version = head.http2 ? "2" : versionOf(head);
  const via = head.via === "" ? `${version} flotilla` : `${head.via}, ${version} flotilla`;
  if (!origin.trusted) {
    return `${origin.untrustedBegin}${head.authority}${origin.untrustedFields}${head.authority}\nVia\n${via}\nX-Request-Id\n${requestId}`;
  }
  const forwardedFor =
    head.xForwardedFor === "" ? origin.address : `${head.xForwardedFor}, ${origin.address}`;
  const scheme = head.xForwardedProto === "" ? origin.scheme : head.xForwardedProto;
  const host = head.xForwardedHost === "" ? head.authority : head.xForwardedHost;
  const forwarded = `${forwardedBefore(head)}${origin.element}${head.authority}"`;
  return `${origin.certificateFields}\nForwarded\n${forwarded}\nX-Forwarded-For\n${forwardedFor}\nX-Forwarded-Proto\n${scheme}\nX-Forwarded-Host\n${host}\nVia\n${via}\nX-Request-Id\n${requestId}`;
}

/** RFC 7239, 4: elements of pairs, each value a token or a quoted string. */
const pair = String.raw`[!#$%&'*+.^_\x60|~0-9A-Za-z-]+=(?:[!#$%&'*+.^_\x60|~0-9A-Za-z-]+|"(?:[^"\\]|\\.)*")`;
const element = `${pair}(?:;${pair})*`;
const elements = new RegExp(`^${element}(?:[ \t]*,[ \t]*${element})*$`);

/**
 * The elements of trusted proxies, to be put before ours. Most know the X-Forwarded fields alone: what these say is said again,
 * or an application that prefers Forwarded would take the proxy for the client.
 */
function forwardedBefore(head: RequestHead): string {
  if (elements.test(head.forwarded)) return `${head.forwarded}, `;
  if (head.xForwardedFor === "") return "";
  const [first = "", ...others] = head.xForwardedFor
    .split(",")
    .map((address) => `for=${nodeOf(address.trim())}`);
  const proto = /^https?$/i.test(head.xForwardedProto) ? `;proto=${head.xForwardedProto.toLowerCase()}` : "";
  const host = hostOf(head.xForwardedHost) === "" ? "" : `;host="${head.xForwardedHost.toLowerCase()}"`;
  return `${[`${first}${proto}${host}`, ...others].join(", ")}, `;
}

/** RFC 7239, 6: an IPv6 address stands in brackets, and these need quotes. */
function nodeOf(address: string): string {
  if (isIPv6(address)) return address.includes("%") ? "unknown" : `"[${address}]"`;
  return isIPv4(address) ? address : "unknown";
}

/** It is shown on pages and in logs: what could mean anything there is no id. */
const plainId = /^[\w.:+/=@-]{1,128}$/;

/** The id that a trusted proxy gave the request, else a new one. */
export function requestIdOf(head: RequestHead, origin: ClientOrigin, ids: RequestIds): string {
  return origin.trusted && plainId.test(head.requestId) ? head.requestId : ids.next();
}

/** Ids that are unique over all web servers: a random part per process, then a number. */
export class RequestIds {
  readonly #prefix: string = randomBytes(9).toString("base64url");
  #last = 0;

  next(): string {
    return `${this.#prefix}-${(++this.#last).toString(36)}`;
  }
}
