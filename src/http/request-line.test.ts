/** Request lines: the attack list's targets, methods and versions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { accepted, parseRaw, refused } from "../../test/harness/request-text.ts";

const G = "GET / HTTP/1.1\r\nHost: a\r\n";

test("A19 absolute form", () => {
  refused(`GET http://169.254.169.254/ HTTP/1.1\r\nHost: a\r\n\r\n`, 400, "HOST_MISMATCH");
  refused(`GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n`, 400, "HOST_MISMATCH");
  refused(`GET http://a/ HTTP/1.0\r\n\r\n`, 400, "HOST_MISMATCH");
  const bad = [
    "unix:/run/x",
    "ftp://a/",
    "http:/a/",
    "http:///",
    "http://u@a/",
    "a:80",

    "a",
    "*",
    "?x",
    "*/",
  ];
  for (const target of bad) refused(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, 400, "BAD_TARGET");
  refused(`GET http://a/../x HTTP/1.1\r\nHost: a\r\n\r\n`, 400, "PATH_ABOVE_ROOT");
  const target = (line: string) => accepted(`${line} HTTP/1.1\nHost: a\n\n`).target;
  assert.equal(target("GET HTTP://A/b?c"), "/b?c");
  assert.equal(target("GET https://a"), "/");
  assert.equal(target("GET http://a?x=/../"), "/?x=/../");
  assert.equal(target("OPTIONS http://a"), "*");
  assert.equal(target("OPTIONS *"), "*");
});

test("A21 paths", () => {
  const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
  for (const byte of ["\x80", "\xff", "\\", "#", "\x01", "\x7f", "\t"]) {
    refused(get(`/a${byte}`), 400, "BAD_TARGET_BYTE");
    refused(get(byte), 400, "BAD_TARGET");
  }
  refused(get("/a?\xff"), 400, "BAD_TARGET_BYTE");
  refused(get("/a?b#c"), 400, "BAD_TARGET_BYTE");
  for (const path of ["/%", "/%4", "/%g1", "/%1g", "/a%?x"]) refused(get(path), 400, "BAD_PERCENT");
  refused(get("/a%00"), 400, "NUL_IN_PATH");
  for (const path of ["/..", "/../a", "/a/../../b", "/%2e%2E/a", "/.%2e"])
    refused(get(path), 400, "PATH_ABOVE_ROOT");
  for (const path of ["/a/..%2f..%2fb", "/..%5cb", "/a/..;/b"]) refused(get(path), 400, "HIDDEN_DOT_SEGMENT");
  const head = accepted("GET //a/%7Eb/./%2e%2E/c%2fd;x|[y]?q=[1]|%zz\\ HTTP/1.1\nHost: a\n\n");
  assert.equal(head.path, "/a/c%2Fd;x%7C%5By%5D");
  assert.equal(head.target, "/a/c%2Fd;x%7C%5By%5D?q=[1]|%zz\\");
  assert.equal(accepted("GET /a? HTTP/1.1\nHost: a\n\n").target, "/a?");
});

test("A22 nothing that could split a line goes on", () => {
  const head = accepted("GET /%0d%0aX:y?%0a HTTP/1.1\nHost: a\nX: %0d%0aY: z\n\n");
  assert.equal(head.target, "/%0D%0AX:y?%0a");
  assert.equal(head.fields, "Host\na\nX\n%0d%0aY: z");
});

test("A24 targets that are too long", () => {
  const get = (length: number) => `GET /${"x".repeat(length - 1)} HTTP/1.1\r\nHost: a\r\n\r\n`;
  assert.equal(parseRaw(get(8192)).head.target.length, 8192);
  refused(get(8193), 414, "TARGET_TOO_LONG");
  refused(`GET /?${"x".repeat(9000)}`, 414, "TARGET_TOO_LONG");
  refused(`GET /${"|".repeat(4000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414, "TARGET_TOO_LONG");
});

test("request lines that are refused", () => {
  const end = "\r\nHost: a\r\n\r\n";
  refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP2_ON_PLAIN_PORT");
  refused("\x16\x03\x01\x02\x00\x01", 400, "TLS_ON_PLAIN_PORT");
  for (const method of ["CONNECT", "TRACE"]) refused(`${method} / HTTP/1.1${end}`, 405, "METHOD_REFUSED");
  for (const method of ["get", "Get", "GET1", "G_T", "X".repeat(24)])
    refused(`${method} / HTTP/1.1${end}`, 501, "METHOD_UNKNOWN");
  for (const line of [" / HTTP/1.1", "G{T / HTTP/1.1", "GET\t/ HTTP/1.1", "GET"])
    refused(`${line}${end}`, 400, "BAD_METHOD");
  refused(`GET  / HTTP/1.1${end}`, 400, "BAD_TARGET");
  refused(`GET /${end}`, 400, "NO_VERSION");
  refused(`GET / ${end}`, 400, "NO_VERSION");
  for (const version of [
    "http/1.1",
    "HTTP/1",
    "HTTP/11",
    "HTTP/1.1 ",
    "HTTP/1.1x",
    " HTTP/1.1",
    "HTTP 1.1",
    "HTTP/1.x",
    "HTTPS/1.1",
  ])
    refused(`GET / ${version}${end}`, 400, "BAD_VERSION");
  for (const version of ["HTTP/1.2", "HTTP/2.0", "HTTP/3", "HTTP/0.9"])
    refused(`GET / ${version}${end}`, 505, "VERSION_UNKNOWN");
  refused(`\r\n\r\n${G}\r\n`, 400, "EMPTY_LINES");
});
