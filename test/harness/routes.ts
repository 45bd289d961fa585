/** Routes as the file would give them. */
import type { Route } from "../../src/config/model.ts";

/** Takes everything and does nothing: to be spread under what a test is about. */
export const anyRoute: Route = {
  host: null,
  path: null,
  pathRegex: null,
  methods: [],
  fields: [],
  query: [],
  from: [],
  to: null,
  files: null,
  redirect: null,
  respond: null,
  sessionIdInPath: false,
  compress: null,
  rewrite: null,
  requestFields: { set: [], add: [], remove: [] },
  answerFields: { set: [], add: [], remove: [] },
  timeoutMs: null,
  bodyBytesMax: null,
  allow: [],
  deny: [],
  rateLimit: null,
  buffer: false,
  at: "flotilla.yaml:1:1",
};
