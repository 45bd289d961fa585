/**
 * What `session()` holds where there is no ServerResponse: the head of a fetch handler's Response, until the session is committed. A body
 * that streams on is not waited for: changes made meanwhile need `await session.save()`.
 */
import type { SessionMiddleware } from "../index.ts";
import type { SessionRequest } from "../request.ts";

type Callback = () => void;

export class FetchHead {
  statusCode = 200;
  readonly #fields = new Map<string, unknown>();
  #body: string | null = null;
  #isEnded = false;
  #onEnd: Callback = () => {};

  /** Resolves when `req.session` is there, or when it is answered that it can't be had: then this has a `refusal`. */
  open(middleware: SessionMiddleware, req: SessionRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onEnd = resolve;
      middleware(req, this, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Resolves when all changes are committed, or refused: then this has a `refusal`. */
  commit(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEnd = resolve;
      this.end();
    });
  }

  /** Stands in for whatever the handler answered. */
  get refusal(): Response | null {
    if (!this.#isEnded || this.#body === null) return null;
    return new Response(this.#body, { status: this.statusCode, headers: this.fields });
  }

  /** For the handler's answer: name and value. */
  get fields(): [name: string, value: string][] {
    return [...this.#fields].flatMap(([name, value]) =>
      [value].flat().map((one): [string, string] => [name, String(one)]),
    );
  }

  // What `session()` needs of a ServerResponse.

  getHeader(name: string): unknown {
    return this.#fields.get(name.toLowerCase());
  }

  setHeader(name: string, value: unknown): void {
    this.#fields.set(name.toLowerCase(), value);
  }

  removeHeader(name: string): void {
    this.#fields.delete(name.toLowerCase());
  }

  getHeaderNames(): string[] {
    return [...this.#fields.keys()];
  }

  writeHead(): this {
    return this;
  }

  end(body?: string): this {
    this.#isEnded = true;
    this.#body = body ?? null;
    this.#onEnd();
    return this;
  }
}
