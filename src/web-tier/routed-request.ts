/** Step "rewrite": the request as its route sees it, and what templates and actions ask of it. */
import type { Template } from "../config/model.ts";
import { canonicalPath } from "../http/canonical.ts";
import type { RequestHead } from "../http/request-head.ts";
import { type TemplateValues, templateText } from "./actions/template-text.ts";
import { addressKey } from "./affinity/address-key.ts";
import type { RouteCookie } from "./affinity/route-cookies.ts";
import type { PageStatus } from "./answer-pages.ts";

const noGroups: readonly string[] = [];

/** Who asks for what: a client. */
export interface Asking {
  readonly head: RequestHead;
  readonly origin: { readonly scheme: "http" | "https"; readonly trusted: boolean };
}

export interface Rewriting {
  readonly rewrite: Template | null;
  /** What `$1` ... stand for in a path; null where nothing asks for them. */
  readonly groupsOf: ((path: string) => readonly string[]) | null;
}

/** Made once per connection and used for one request after the other. */
export class RoutedRequest implements TemplateValues {
  /** Path and query, rewritten where the route says so. */
  target = "";
  /** The target without its query. */
  path = "";
  groups: readonly string[] = noGroups;
  /** Of the path, from a client that may choose the server by it; or "". */
  sessionId = "";
  client = "";
  /** Names the server that keeps the visitor. Looked for when a server is chosen, by clusters that have such cookies; or null. */
  routeCookie: RouteCookie | null = null;
  readonly #client: Asking;
  /** Of which `#addressKey` is the key: nearly always the same for all requests of a connection. */
  #keyedClient = "";
  #addressKey = 0;

  constructor(client: Asking) {
    this.#client = client;
  }

  /** The head has been read. @param client the address of who asks. */
  begin(client: string): void {
    this.client = client;
    this.target = this.#client.head.target;
    this.path = this.#client.head.path;
    this.groups = noGroups;
    this.sessionId = "";
    this.routeCookie = null;
  }

  /** @returns 0, or the status to refuse with: what came with the request makes the new path no path. */
  follow({ groupsOf, rewrite }: Rewriting, targetBytesMax: number): 0 | PageStatus {
    if (groupsOf !== null) this.groups = groupsOf(this.path);
    return rewrite === null ? 0 : this.#rewrite(rewrite, targetBytesMax);
  }

  /** The new path has to be as canonical as the one that came: rules, files and the app all see the same. */
  #rewrite(template: Template, targetBytesMax: number): 0 | PageStatus {
    const text = templateText(template, this);
    const question = text.indexOf("?");
    const path = canonicalPath(question < 0 ? text : text.slice(0, question));
    if (typeof path !== "string") return 400;
    const target = path + (question < 0 ? this.query : text.slice(question));
    if (target.length > targetBytesMax) return 414;
    this.path = path;
    this.target = target;
    return 0;
  }

  get method(): string {
    return this.#client.head.method;
  }

  get originalPath(): string {
    return this.#client.head.path;
  }

  get query(): string {
    const { path, target } = this.#client.head;
    return target.slice(path.length);
  }

  get host(): string {
    return this.#client.head.host;
  }

  get scheme(): string {
    return this.#client.origin.scheme;
  }

  /** Of the client's address, for affinity. */
  get addressKey(): number {
    if (this.client !== this.#keyedClient) {
      this.#keyedClient = this.client;
      this.#addressKey = addressKey(this.client);
    }
    return this.#addressKey;
  }

  /** The browser's own connection is encrypted, as far as we or balancers that the file trusts know. */
  get isSecure(): boolean {
    const { head, origin } = this.#client;
    return origin.scheme === "https" || (origin.trusted && head.xForwardedProto.toLowerCase() === "https");
  }

  /** The Cookie field, or "". */
  get cookie(): string {
    return this.#client.head.cookie;
  }

  get fields(): string {
    return this.#client.head.fields;
  }
}
