/** Settings of `routes:`. */
import { dayMs, type Setting, since } from "./setting.ts";

export const routeSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.routes",
    type: "list",
    since,
    minimum: 1,
    maximum: 1_000,
    description: "What happens to which request. The first route that fits takes it.",
  },
  {
    path: "clusters.<name>.routes[]",
    type: "section",
    since,
    oneOf: ["to", "files", "redirect", "respond"],
    description:
      "One route: what it takes, what it does with it, and what else holds there. What is not named fits everything. See docs/routes.md.",
  },
  {
    path: "clusters.<name>.routes[].host",
    type: "hostPattern",
    since,
    description: "`shop.example.com`, or `*.example.com` for all names below it (not for `example.com`).",
  },
  {
    path: "clusters.<name>.routes[].path",
    type: "pathPattern",
    since,
    description:
      "`/foo` for that path alone, `/foo/*` for it and all below it, `*.png` or `/foo/*.{png,gif}` for names that end so; `*` stands for anything but `/`. Upper and lower case differ; the query does not count.",
  },
  {
    path: "clusters.<name>.routes[].pathRegex",
    type: "regex",
    since,
    description:
      "A regular expression (RE2's grammar, linear time) that is found somewhere in the path; `^` and `$` are its begin and end. An empty one takes everything. With `path:`, both must fit.",
  },
  {
    path: "clusters.<name>.routes[].method",
    type: "list",
    since,
    orSingle: true,
    minimum: 1,
    maximum: 32,
    description: "Methods that the route takes.",
  },
  {
    path: "clusters.<name>.routes[].method[]",
    type: "method",
    since,
    description: "A method. `GET` is not `HEAD`: name both where both are meant.",
  },
  {
    path: "clusters.<name>.routes[].header",
    type: "named",
    names: "fieldName",
    since,
    minimum: 1,
    maximum: 32,
    description: "Header fields that the request must have.",
  },
  {
    path: "clusters.<name>.routes[].header.<name>",
    type: "fieldValue",
    since,
    description: "The whole value, or `*` for any; lines of one name count as one, joined by `, `.",
  },
  {
    path: "clusters.<name>.routes[].query",
    type: "named",
    names: "parameterName",
    since,
    minimum: 1,
    maximum: 32,
    description: "Parameters that the query must have.",
  },
  {
    path: "clusters.<name>.routes[].query.<name>",
    type: "parameterValue",
    since,
    description:
      "The whole value without escapes, or `*` for any. Of a parameter that is there more than once the first counts.",
  },
  {
    path: "clusters.<name>.routes[].from",
    type: "list",
    since,
    orSingle: true,
    minimum: 1,
    maximum: 1_000,
    description: "Networks of clients that the route takes.",
  },
  {
    path: "clusters.<name>.routes[].from[]",
    type: "network",
    since,
    description: "An address or a network like `10.0.0.0/8`.",
  },
  {
    path: "clusters.<name>.routes[].to",
    type: "clusterName",
    since,
    description: "The cluster that answers.",
  },
  {
    path: "clusters.<name>.routes[].files",
    type: "section",
    shortFor: "folder",
    since,
    description:
      "The web tier sends files itself, to GET and HEAD. The whole path of the request is the file's name below the folder. Nothing is listed, nothing outside of the folder is sent, and no file whose name begins with a dot (but `.well-known` at its top).",
  },
  {
    path: "clusters.<name>.routes[].files.folder",
    type: "folder",
    since,
    required: true,
    description: "The folder, relative to this file.",
  },
  {
    path: "clusters.<name>.routes[].files.index",
    type: "list",
    since,
    orSingle: true,
    maximum: 8,
    description:
      "Files that stand for the folder they lie in, the first that is there. By default `index.html`.",
  },
  {
    path: "clusters.<name>.routes[].files.index[]",
    type: "fileName",
    since,
    description: "The name of a file.",
  },
  {
    path: "clusters.<name>.routes[].files.fallback",
    type: "filePath",
    since,
    description: "Sent where there is no such file, as single-page applications need it: `/index.html`.",
  },
  {
    path: "clusters.<name>.routes[].files.precompressed",
    type: "flag",
    since,
    default: false,
    description:
      "Sends `x.js.br`, `x.js.zst` or `x.js.gz` instead of `x.js` where they lie beside it and the browser takes them.",
  },
  {
    path: "clusters.<name>.routes[].files.followSymlinks",
    type: "flag",
    since,
    default: false,
    description:
      "Symbolic links are followed, wherever they lead. Without, a path with one in it is no file. The folder itself may be a link.",
  },
  {
    path: "clusters.<name>.routes[].files.cacheControl",
    type: "fieldValue",
    since,
    description: "The field Cache-Control of what is sent, such as `public, max-age=3600`.",
  },
  {
    path: "clusters.<name>.routes[].redirect",
    type: "section",
    shortFor: "to",
    since,
    description: "Sends the browser to another address.",
  },
  {
    path: "clusters.<name>.routes[].redirect.to",
    type: "template",
    since,
    required: true,
    description:
      "Where to: a path, or an address with `http://` or `https://`. `$1` to `$9` are what the groups of `pathRegex`, or the star of `path`, stood for; `$path` is the path, `$query` the query with its `?`, `$host` the host.",
  },
  {
    path: "clusters.<name>.routes[].redirect.status",
    type: "choice",
    since,
    choices: ["301", "302", "303", "307", "308"],
    default: "302",
    description:
      "`301` and `308` are for ever, `302` and `307` for now; 307 and 308 keep the method, 303 makes it GET.",
  },
  {
    path: "clusters.<name>.routes[].respond",
    type: "section",
    shortFor: "status",
    since,
    description: "Answers at once.",
  },
  {
    path: "clusters.<name>.routes[].respond.status",
    type: "integer",
    since,
    minimum: 200,
    maximum: 599,
    default: 200,
    description: "The status.",
  },
  {
    path: "clusters.<name>.routes[].respond.body",
    type: "body",
    since,
    default: "",
    description: "The body, sent as UTF-8.",
  },
  {
    path: "clusters.<name>.routes[].respond.type",
    type: "fieldValue",
    since,
    default: "text/plain; charset=utf-8",
    description: "Its Content-Type.",
  },
  {
    path: "clusters.<name>.routes[].sessionIdInPath",
    type: "flag",
    since,
    default: false,
    description:
      "`;jsessionid=` at the end of a path chooses the server of that letter or session, for clients under `sessionIdFrom:`. It never loads a session, and neither application nor log see it.",
  },
  {
    path: "clusters.<name>.routes[].compress",
    type: "flag",
    since,
    description: "Compress this route's answers, or not, whatever `compress:` of the cluster says.",
  },
  {
    path: "clusters.<name>.routes[].rewrite",
    type: "template",
    since,
    description:
      "The path that the application, or the folder of files, gets instead: `/new/$1`, with the same variables as `redirect`. The query stays unless the new path has one of its own.",
  },
  {
    path: "clusters.<name>.routes[].headers",
    type: "section",
    since,
    description: "Fields of requests and answers that are set, added or removed.",
  },
  ...fieldRules("request", "Of the request, before the application gets it."),
  ...fieldRules("response", "Of every answer of this route, error pages too."),
  {
    path: "clusters.<name>.routes[].timeout",
    type: "duration",
    since,
    minimum: 10,
    maximum: dayMs,
    description: "Instead of `timeouts.request`: the answer must begin.",
  },
  {
    path: "clusters.<name>.routes[].bodyMax",
    type: "sizeOrUnlimited",
    since,
    minimum: 0,
    maximum: 2 ** 46,
    description: "Instead of `limits.body`: a request's body. More is answered 413.",
  },
  {
    path: "clusters.<name>.routes[].buffer",
    type: "flag",
    since,
    default: false,
    description:
      "A request's body is taken whole, up to `bodyMax`, before the application gets any of it: who sends slowly keeps no app server busy. Longer ones wait on the disk, in the data folder.",
  },
  {
    path: "clusters.<name>.routes[].allow",
    type: "list",
    since,
    orSingle: true,
    minimum: 1,
    maximum: 1_000,
    description:
      "Networks of clients that may use the route. Others are answered 403; no later route is tried.",
  },
  {
    path: "clusters.<name>.routes[].allow[]",
    type: "network",
    since,
    description: "An address or a network like `10.0.0.0/8`.",
  },
  {
    path: "clusters.<name>.routes[].deny",
    type: "list",
    since,
    orSingle: true,
    minimum: 1,
    maximum: 1_000,
    description: "Networks of clients that may not, also where `allow` has them.",
  },
  {
    path: "clusters.<name>.routes[].deny[]",
    type: "network",
    since,
    description: "An address or a network like `10.0.0.0/8`.",
  },
  {
    path: "clusters.<name>.routes[].rateLimit",
    type: "section",
    shortFor: "rate",
    since,
    description:
      "How often one client may use the route. More is answered 429 with Retry-After. With IPv6 a client is its /64. Every worker process counts for itself.",
  },
  {
    path: "clusters.<name>.routes[].rateLimit.rate",
    type: "rate",
    since,
    required: true,
    description: "`10/s`, `100/m` or `1000/h`, evenly spread.",
  },
  {
    path: "clusters.<name>.routes[].rateLimit.burst",
    type: "integer",
    since,
    minimum: 1,
    maximum: 1_000_000,
    description: "So many at once. By default as many as `rate` names.",
  },
];

function fieldRules(message: "request" | "response", description: string): readonly Setting[] {
  const path = `clusters.<name>.routes[].headers.${message}`;
  const named = (key: string, text: string): readonly Setting[] => [
    {
      path: `${path}.${key}`,
      type: "named",
      names: "fieldName",
      since,
      minimum: 1,
      maximum: 64,
      description: text,
    },
    {
      path: `${path}.${key}.<name>`,
      type: "template",
      since,
      description: "The value; with the same variables as `redirect`.",
    },
  ];
  return [
    { path, type: "section", since, description },
    ...named("set", "Fields that are there with this value alone, whatever was there before."),
    ...named("add", "Fields that come in addition."),
    {
      path: `${path}.remove`,
      type: "list",
      since,
      orSingle: true,
      minimum: 1,
      maximum: 64,
      description: "Fields that do not stay.",
    },
    { path: `${path}.remove[]`, type: "fieldName", since, description: "The name of a field." },
  ];
}
