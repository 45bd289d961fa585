/**
 * What must be refused, row by row of the attack list (A1 to A24, A31): [row, status, requests]. Each request is told
 * by its bytes alone; the tests put a smuggled one behind it.
 */
import { http as limits } from "../../src/support/limits.ts";

const G = "GET / HTTP/1.1\r\nHost: a\r\n";
const P = "POST / HTTP/1.1\r\nHost: a\r\n";
export const chunkedP: string = `${P}Transfer-Encoding: chunked\r\n\r\n`;
const controls = Array.from({ length: 32 }, (_none, at) => String.fromCharCode(at))
  .filter((byte) => byte !== "\t" && byte !== "\r" && byte !== "\n")
  .concat("\x7f");
const coded = (value: string): string => `${P}Transfer-Encoding:${value}\r\n\r\n0\r\n\r\n`;
const sized = (value: string): string => `${P}Content-Length:${value}\r\n\r\nx`;
const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
const hosted = (lines: string): string => `GET / HTTP/1.1\r\n${lines}\r\n\r\n`;

export const refusedRows: readonly [name: string, status: number, requests: readonly string[]][] = [
  [
    "A1 Content-Length and Transfer-Encoding",
    400,
    [
      `${P}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `${P}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
      `${P}Content-Length: 0\r\nX: y\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      `${G}Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nhello`,
    ],
  ],
  [
    "A2 codings unlike chunked",
    400,
    [
      ...[
        " ,chunked",
        " chunked,",
        " \x0bchunked",
        " chunked, identity",
        " identity, chunked",
        " identity",
        "",
      ],
      ...[" xchunked", " chunked\xa0", " \x85chunked", ' "chunked"', " chunked;q=1", " chunked, chunked"],
      ...[
        " Chunked \x0b",
        " Chunked \0",
        " Chunked\x1f",
        " chun\tked",
        " chunked chunked",
        " cow, chunked, ",
      ],
    ]
      .map(coded)
      .concat(
        coded(" chunked\r\nTransfer-Encoding: chunked"),
        coded(" chunked\r\nTransfer-Encoding: identity"),
        coded(" identity\r\nTransfer-Encoding: chunked"),
        coded(" chunked\r\nTransfer-encoding: cow"),
        `${P}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
        `${P} Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        `${P}X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      ),
  ],
  ["A2 codings not spoken here", 501, [" gzip, chunked", " x, chunked", " deflate ,\tchunked"].map(coded)],
  [
    "A3 Transfer-Encoding on HTTP/1.0",
    400,
    [
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
  ],
  [
    "A5 expectations, and no 100",
    417,
    [
      " x 100-continue",
      " 100-continue, x",
      " 100-continue, 100-continue",
      "",
      " 100-continue\r\nExpect: 100-continue",
      " 200-ok",
    ]
      .map((value) => `${P}Content-Length: 1\r\nExpect:${value}\r\n\r\nx`)
      .concat(`${P}Transfer-Encoding: chunked\r\nExpect: y\r\n\r\n0\r\n\r\n`),
  ],
  [
    "A6 Content-Length",
    400,
    [
      ...[
        "",
        " ",
        " +1",
        " -1",
        " -0",
        " 0x1",
        " 1,1",
        " 1, 1",
        " 18446744073709551617",
        " 9223372036854775808",
      ],
      ...[
        " 1 1",
        " 1\t1",
        " 1.0",
        " 1e0",
        " 1;",
        " 1_0",
        " \xa01",
        ' "1"',
        " 00000000000000001",
        " 9007199254740992",
      ],
      ...[" 1\r\nContent-Length: 2", " 1\r\nContent-Length: 1", " 1\r\ncontent-length:", " 1,"],
    ].map(sized),
  ],
  [
    "A7 bare LF or CR",
    400,
    [
      `${G}X: b\nY: c\r\n\r\n`,
      `${G}\rX: y\r\n\r\n`,
      `${G}X: b\rY: c\r\n\r\n`,
      `${G}X: b\r\r\n\r\n`,
      `${G}X: y\r\n\n`,
      `${G}X: y\r\n\r\r\n\r\n`,
      `${G}\n\r\n`,
      "GET / HTTP/1.1\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\nHost: a\n\n",
      "GET / HTTP/1.1\rHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
      "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /\n HTTP/1.1\r\nHost: a\r\n\r\n",
      `\n${G}\r\n`,
      `\r${G}\r\n`,
    ],
  ],
  [
    "A8 folded lines and leading space",
    400,
    [
      `${P}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`,
      `${P}Content-Length: 1\r\n 0\r\n\r\n`,
      `${G}X: y\r\n\tz\r\n\r\n`,
      `${G}X: y\r\n \r\n\r\n`,
      "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
      "GET / HTTP/1.1\r\n\tHost: a\r\nHost: a\r\n\r\n",
      " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
  ],
  [
    "A9 chunk line ends",
    400,
    [
      "1;a\nZ\r\n0\r\n\r\n",
      "1\r\nZQQ",
      "1\r\nZ\n0\r\n\r\n",
      "1\nZ\r\n0\r\n\r\n",
      "1\rZ\r\n0\r\n\r\n",
      "1\r\nZ\r0\r\n\r\n",
      "1\r\nZ0\r\n\r\n",
      "0\n\r\n",
      "0\r\n\n",
      "0\r\n\rX",
    ].map((body) => chunkedP + body),
  ],
  [
    "A10 chunk sizes",
    400,
    [
      ...[
        "0x1\r\nZ\r\n",
        "+1\r\nZ\r\n",
        "-1\r\nZ\r\n",
        " 1\r\nZ\r\n",
        "\t1\r\nZ\r\n",
        "1 \r\nZ\r\n",
        "1 ;a\r\nZ\r\n",
      ],
      ...[
        "00000000000000001\r\nZ\r\n",
        "ffffffffffffffff\r\nZ\r\n",
        "20000000000000\r\nZ\r\n",
        "\r\nZ\r\n",
        ";a\r\nZ\r\n",
      ],
      ...["g\r\nZ\r\n", "1_0\r\nZ\r\n", "1,\r\nZ\r\n", "\xb11\r\nZ\r\n"],
    ].map((body) => `${chunkedP}${body}0\r\n\r\n`),
  ],
  [
    "A11 chunk extensions",
    400,
    [
      `${chunkedP}1;${"x".repeat(16_384)}\r\nZ\r\n0\r\n\r\n`,
      `${chunkedP}${`1;${"x".repeat(200)}\r\nZ\r\n`.repeat(90)}0\r\n\r\n`,
      `${chunkedP}1;a\0b\r\nZ\r\n0\r\n\r\n`,
    ],
  ],
  [
    "A12 trailers that are no fields",
    400,
    [
      "X : 1\r\n\r\n",
      "X: a\nY: b\r\n\r\n",
      " X: 1\r\n\r\n",
      ": 1\r\n\r\n",
      "X\r\n\r\n",
      "X: a\r\n b\r\n\r\n",
      "X: a\0\r\n\r\n",
      `X: ${"y".repeat(limits.trailerBytesMax)}\r\n\r\n`,
    ].map((trailer) => `${chunkedP}0\r\n${trailer}`),
  ],
  [
    "A13 field names",
    400,
    [
      "CL : 1",
      "Content-Length : 1",
      "X\t: 1",
      ": 1",
      "X\x85: 1",
      "\x85X: 1",
      "nocolon",
      "X Y: 1",
      "X(: 1",
      "X\0: 1",
      "\xe4: 1",
      "X/: 1",
      '"X": 1',
      "@: 1",
      "=1",
    ].map((line) => `${G}${line}\r\n\r\n`),
  ],
  ["A14 NUL and controls in a value", 400, controls.map((byte) => `${G}X: a${byte}b\r\n\r\n`)],
  [
    "A14 NUL and controls alone, at the ends of a value, and in Host",
    400,
    [
      `${G}X: \0\r\n\r\n`,
      `${G}X: a\x0b\r\n\r\n`,
      `${G}X:\x0ca\r\n\r\n`,
      `${G}X: a\x1b\r\n\r\n`,
      "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n",
    ],
  ],
  [
    "A16 Connection that names framing or Host",
    400,
    [
      "X-Forwarded-Host, Transfer-Encoding, Host, Cookie",
      "host",
      "close, Content-Length",
      "TRANSFER-ENCODING",
      "keep-alive\r\nConnection: Host",
      "a b",
      "a/b",
      '"close"',
      "close;x",
    ].map((value) => `${G}Connection: ${value}\r\n\r\n`),
  ],
  [
    "A17 a PROXY line where none is expected",
    400,
    [
      `PROXY TCP4 6.6.6.6 127.0.0.1 1 80\r\n${G}\r\n`,
      `PROXY UNKNOWN\r\n${G}\r\n`,
      `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x06\x06\x06\x06\x7f\0\0\x01\0\x01\0\x50${G}\r\n`,
    ],
  ],
  [
    "A18 Host",
    400,
    [
      ...[
        "Host: a\r\nHost: a",
        "Host: a\r\nhost: b",
        "X: y",
        "Host: a/b@c",
        "Host: a@b",
        "Host:",
        "Host: a b",
        "Host: a,b",
      ],
      ...[
        "Host: a:65536",
        "Host: a:0",
        "Host: a:99999999999",
        "Host: a:x",
        "Host: a:+1",
        "Host: a:",
        "Host: :80",
      ],
      ...[
        "Host: a%00",
        "Host: a%2eb",
        "Host: a?b",
        "Host: a#b",
        "Host: a\\b",
        "Host: \xe4",
        "Host: a..b",
        "Host: .a",
      ],
      ...[
        "Host: [::1",
        "Host: ::1",
        "Host: [::1]x",
        "Host: [fe80::1%25eth0]",
        "Host: http://a",
        "Host: a\tb",
        'Host: "a"',
      ],
    ].map(hosted),
  ],
  [
    "A19 absolute form",
    400,
    [
      ...[
        "http://169.254.169.254/",
        "http://b/",
        "http://a:80/",
        "http://a.b/",
        "http://a./",
        "unix:/run/x",
        "unix:///run/x",
      ],
      ...[
        "http://u@a/",
        "http://u:p@a/",
        "ftp://a/",
        "file:///etc/passwd",
        "http:/a/",
        "http:///",
        "a:80",
        "//",
        "javascript:1",
      ].filter((target) => target !== "//"),
    ]
      .map(get)
      .concat("GET http://a/ HTTP/1.0\r\n\r\n", "GET http://a/ HTTP/1.1\r\n\r\n"),
  ],
  [
    "A21 paths",
    400,
    [
      ...[
        "/\x80",
        "/\xe4",
        "/\xff",
        "/a\\b",
        "/a#b",
        "/#",
        "/%",
        "/%4",
        "/%zz",
        "/%%41",
        "/%u0041",
        "/%00",
        "/a%00.png",
      ],
      ...[
        "/..",
        "/../a",
        "/a/../..",
        "/%2e%2e",
        "/.%2E/a",
        "/a/%2e%2e/../b",
        "/..%2f..%2fb",
        "/a/..%2fadmin",
        "/a/..%5cadmin",
      ],
      ...[
        "/a%2f../admin",
        "/a/..;/admin",
        "/a/%2e%2e;x/admin",
        "/a/..%3b/admin",
        "/a\tb",
        "/a?\xe4",
        "/a?b#c",
        "a",
        "?",
        "*",
      ],
      ...["http://a/../x", "http://a/%00", "http://a/\xe4"],
    ].map(get),
  ],
  [
    "A24 head bombs",
    431,
    [
      `${G}${"X: y\r\n".repeat(101)}\r\n`,
      `${G}${"X: y\r\n".repeat(100)}\r\n`,
      `${G}${"X_Y: z\r\n".repeat(101)}\r\n`,
      `${G}X: ${"y".repeat(17 * 1024)}\r\n\r\n`,
      `${G}${`X: ${"y".repeat(1_000)}\r\n`.repeat(17)}\r\n`,
      `${G}${"n".repeat(16 * 1024)}: y\r\n\r\n`,
      `${G}${"n".repeat(16 * 1024)}`,
    ],
  ],
  [
    "A24 a target bomb",
    414,
    [
      get(`/${"x".repeat(9_000)}`),
      get(`/?${"x".repeat(9_000)}`),
      get(`/${"|".repeat(3_000)}`),
      `GET /${"x".repeat(9_000)}`,
    ],
  ],
  ["A31 HTTP/2 with prior knowledge", 505, ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]],
  [
    "versions that are none",
    505,
    ["HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/9"].map((version) => `GET / ${version}\r\nHost: a\r\n\r\n`),
  ],
  [
    "versions misspelt",
    400,
    ["", "http/1.1", "HTTP/1.1 ", "HTTP/1", "HTTP /1.1", "HTTP/1.1\t", "HTTP/11", "XTTP/1.1"].map(
      (version) => `GET / ${version}\r\nHost: a\r\n\r\n`,
    ),
  ],
  [
    "methods that are none here",
    405,
    ["CONNECT a:80", "TRACE /"].map((start) => `${start} HTTP/1.1\r\nHost: a\r\n\r\n`),
  ],
  [
    "methods misspelt",
    501,
    ["get /", "Get /", "GE7 /"].map((start) => `${start} HTTP/1.1\r\nHost: a\r\n\r\n`),
  ],
];
