/** Settings of the whole file. */
import * as limits from "../../support/limits.ts";
import { type Setting, since } from "./setting.ts";

export const fileSettings: readonly Setting[] = [
  {
    path: "secret",
    type: "secret",
    since,
    required: true,
    minimum: limits.config.secretBytesMin,
    maximum: limits.config.includedBytesMax,
    description: `The key of the cluster, the same on every machine; "flotilla secret" makes one. Best kept out of this file: \${file:/etc/flotilla/secret} or \${env:NAME}.`,
  },
  {
    path: "previousSecret",
    type: "secret",
    since,
    minimum: limits.config.secretBytesMin,
    maximum: limits.config.includedBytesMax,
    description:
      "The key before this one, accepted but no longer used for anything new, so that the key can be changed while the cluster runs.",
  },
  {
    path: "data",
    type: "folder",
    since,
    default: ".flotilla",
    description: "Folder for what a server keeps: logs and its own state. Relative to this file.",
  },
  {
    path: "clusters",
    type: "named",
    since,
    required: true,
    minimum: 1,
    maximum: 1_000,
    description: "The clusters of the site, each under its name (a-z, 0-9, `-`).",
  },
  {
    path: "clusters.<name>",
    type: "section",
    since,
    description:
      "Servers that do the same work. With `routes:` it is a web tier (it speaks to browsers), without it an app tier (it makes the content).",
  },
];
