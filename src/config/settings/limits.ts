/** Settings of `limits:`. */
import * as limits from "../../support/limits.ts";
import { type Setting, since } from "./setting.ts";

export const limitSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.limits",
    type: "section",
    since,
    tier: "web",
    description: "What a client may send. More is answered with 400, 413, 414 or 431, never cut short.",
  },
  {
    path: "clusters.<name>.limits.head",
    type: "size",
    since,
    minimum: 1_024,
    maximum: 49_152,
    default: limits.http.headBytesMax,
    description: "Request line and all fields together.",
  },
  {
    path: "clusters.<name>.limits.fields",
    type: "integer",
    since,
    minimum: 10,
    maximum: 1_000,
    default: limits.http.fieldsMax,
    description: "Fields of one request.",
  },
  {
    path: "clusters.<name>.limits.target",
    type: "size",
    since,
    minimum: 256,
    maximum: 32_768,
    default: limits.http.targetBytesMax,
    description: "The request's target: path and query.",
  },
  {
    path: "clusters.<name>.limits.body",
    type: "sizeOrUnlimited",
    since,
    minimum: 0,
    maximum: 2 ** 46,
    default: Number.POSITIVE_INFINITY,
    description: "A request's body. It is streamed and costs no memory, whatever its size.",
  },
  {
    path: "clusters.<name>.limits.connections",
    type: "integer",
    since,
    minimum: 1,
    maximum: 1_000_000,
    default: limits.http.connectionsMax,
    description: "Connections of browsers to one server; one more is closed at once.",
  },
  {
    path: "clusters.<name>.limits.streams",
    type: "integer",
    since,
    minimum: 1,
    maximum: 1_000,
    default: limits.http2.streamsMax,
    description: "Requests at a time on one HTTP/2 connection.",
  },
];
