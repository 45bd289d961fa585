/**
 * Answers that the web server makes itself: what happened, in words for a visitor, and the id to ask the operator about;
 * or a page that the site has for it (`errorPages:`).
 */
import type { Maintenance, OwnPage } from "../config/model.ts";
import { http as limits } from "../support/limits.ts";
import type { AnswerHead } from "./client.ts";

const pages = {
  400: ["Bad Request", "The request was not understood."],
  403: ["Forbidden", "This is not for everybody."],
  404: ["Not Found", "There is nothing at this address."],
  405: ["Method Not Allowed", "This method is not served here."],
  408: ["Request Timeout", "The request did not arrive in time."],
  412: ["Precondition Failed", "What is here is not what the request was made for."],
  413: ["Content Too Large", "The request's body is too long."],
  414: ["URI Too Long", "The address is too long."],
  416: ["Range Not Satisfiable", "There is no such part of it."],
  417: ["Expectation Failed", "The expectation can't be met."],
  421: ["Misdirected Request", "This site is not served here."],
  429: ["Too Many Requests", "These are too many requests. Please try again in a moment."],
  431: ["Request Header Fields Too Large", "The request's header is too long."],
  500: ["Internal Server Error", "The web server made a mistake."],
  501: ["Not Implemented", "This is not served here."],
  502: ["Bad Gateway", "The application broke off before it had answered."],
  503: [
    "Service Unavailable",
    "No application server can take the request right now. Please try again in a moment.",
  ],
  504: ["Gateway Timeout", "The application did not answer in time."],
  505: ["HTTP Version Not Supported", "This version of HTTP is not spoken here."],
} as const;

export type PageStatus = keyof typeof pages;

export interface Page {
  readonly head: AnswerHead;
  /** A character per byte. */
  readonly text: string;
}

/** Fields that belong to a status, or to the visitor's session: they survive when another page is shown. */
const kept = /^(?:allow|proxy-authenticate|retry-after|set-cookie|www-authenticate):/i;

export class AnswerPages {
  /** By status - 400. */
  readonly #own: readonly (OwnPage | null)[];
  readonly #intercepts: boolean;

  /** @param own keys are "404", "4xx", ... @param intercepts pages of applications are replaced too. */
  constructor(own: ReadonlyMap<string, OwnPage>, intercepts: boolean) {
    this.#own = Array.from({ length: 200 }, (_none, at) => {
      const status = String(400 + at);
      return own.get(status) ?? own.get(`${status[0]}xx`) ?? null;
    });
    this.#intercepts = intercepts;
  }

  /**
   * @param why one more sentence, or "". @param requestId "" when the request was not understood.
   * @param more lines of the head, "Name: value CR LF ...".
   */
  page(status: PageStatus, why: string, requestId: string, more: string = ""): Page {
    const [reason, sentence] = pages[status];
    let fields = more;
    if (requestId !== "") fields += `X-Request-Id: ${requestId}\r\n`;
    // RFC 9110, 15.5.6: it must say what is allowed. Any other method is the application's to judge.
    if (status === 405 && !hasField(more, "allow"))
      fields += "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n";
    if (status === 503 && !hasField(more, "retry-after")) fields += "Retry-After: 2\r\n";
    const own = this.#own[status - 400] ?? {
      type: "text/html; charset=utf-8",
      text: pageBody(`${status} ${reason}`, why === "" ? sentence : why, requestId),
    };
    return pageOf(status, reason, fields, own);
  }

  maintenance({ page }: Maintenance, requestId: string): Page {
    const retry = `Retry-After: ${limits.maintenanceRetrySeconds}\r\n`;
    if (page !== null) return pageOf(503, pages[503][0], `${retry}X-Request-Id: ${requestId}\r\n`, page);
    return this.page(
      503,
      "This site is being worked on. Please try again in a few minutes.",
      requestId,
      retry,
    );
  }

  /** Whether an application's answer of this status is replaced. */
  intercepts(status: number): boolean {
    return this.#intercepts && this.#own[status - 400] != null;
  }

  /** What takes its place. @param answer of a status that `intercepts` is true for. */
  intercepted({ status, reason, fields }: AnswerHead): Page {
    let some = "";
    for (const line of fields.split("\r\n")) if (kept.test(line)) some += `${line}\r\n`;
    return pageOf(status, reason, some, this.#own[status - 400]!);
  }
}

function pageOf(status: number, reason: string, more: string, { type, text }: OwnPage): Page {
  const fields = `Content-Type: ${type}\r\nCache-Control: no-store\r\n${more}`;
  return { head: { status, reason, fields, contentLength: text.length, hasDate: false }, text };
}

function hasField(lines: string, name: string): boolean {
  return new RegExp(`^${name}:`, "im").test(lines);
}

/**
 * Why there is no answer of an app server (RFC 9209), on the answer that we give instead. The names say what happened between
 * the servers and never which servers they are.
 */
export function proxyStatus(
  error:
    | "connection_limit_reached"
    | "connection_terminated"
    | "destination_unavailable"
    | "http_protocol_error"
    | "http_response_timeout",
): string {
  return `Proxy-Status: flotilla; error=${error}\r\n`;
}

function pageBody(title: string, sentence: string, requestId: string): string {
  const ask = requestId === "" ? "" : `<p><small>Request ${requestId}</small></p>\n`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:20vh auto;padding:0 1rem;color:#222}small{color:#666}</style>
<h1>${title}</h1>
<p>${asciiHtml(sentence)}</p>
${ask}</html>
`;
}

/** The text inside HTML; what is not ASCII becomes a character reference, so that characters are bytes. */
function asciiHtml(text: string): string {
  return text.replace(/[^ -~]|[&<>"]/gu, (char) => `&#${char.codePointAt(0)};`);
}
