/** Bytes to begin from: every attack of the list, every odd but legal request, and what the fuzzer once found. */
import { legalRequests } from "../attack/legal-requests.ts";
import { refusedRows } from "../attack/refused-rows.ts";

const post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const found: readonly string[] = [
  // llhttp takes a length among the trailers for the body's.
  `${post}5\r\nhello\r\n0\r\nContent-Length:th: 5\r\n\r\n`,
  // llhttp does not see the coding behind which a tab stands, and takes the chunks for the body.
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\t\r\nConnection: close\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
  // Extensions without a name, with a quotation mark too many, with a byte over 0x7f.
  `${post}2;\r\nhi\r\n0\r\n\r\n`,
  `${post}2;a="b;c""\r\nhi\r\n0\r\n\r\n`,
  `${post}2;\xe4\r\nhi\r\n0\r\n\r\n`,
  // A size that is too large before its line ends.
  `${post}ffffffffffffffff`,
  // A backslash in the authority.
  "POST http://a\\/%25 HTTP/1.1\r\nHost: a\r\n\r\n",
  // The beginning of a TLS handshake.
  "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
];

/** Without the bombs: their size alone is their point, and limits are small here. */
export const corpus: readonly string[] = [
  ...refusedRows.flatMap(([, , requests]) => requests),
  ...Object.values(legalRequests).map(({ bytes }) => bytes),
  ...found,
].filter((text) => text.length < 900);
