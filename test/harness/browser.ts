/** A real browser for tests: the distribution's Chromium, spoken to in its own protocol (CDP) over its pipe. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import type { TestContext } from "node:test";

export const chromiumPath: string | undefined = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(
  (path) => existsSync(path),
);

const patienceMs = 20_000;

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-pipe",
];

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** One tab. */
export class BrowserPage {
  /** What the page complained about: errors in scripts, blocked content, missing files. */
  readonly complaints: string[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;
  #sessionId: string | undefined;
  #received = "";
  #loaded: PromiseWithResolvers<void> = Promise.withResolvers();

  private constructor(child: ChildProcess) {
    this.#child = child;
    const fromBrowser = child.stdio[4] as Readable;
    fromBrowser.setEncoding("utf8").on("data", (text: string) => this.#receive(text));
  }

  /** Starts a browser with an empty profile; it ends with the test. @param more flags of Chromium. */
  static async open(context: TestContext, more: readonly string[] = []): Promise<BrowserPage> {
    const profile = mkdtempSync(join(tmpdir(), "flotilla-browser-"));
    const child = spawn(chromiumPath!, [...flags, ...more, `--user-data-dir=${profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
      // A group of its own: the browser is many processes.
      detached: true,
    });
    const exit = new Promise((resolve) => child.once("exit", resolve));
    context.after(async () => {
      process.kill(-child.pid!, "SIGKILL");
      await exit;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    });
    const page = new BrowserPage(child);
    const { targetInfos } = (await page.#ask("Target.getTargets")) as {
      targetInfos: { type: string; targetId: string }[];
    };
    const { targetId } = targetInfos.find(({ type }) => type === "page")!;
    const attached = await page.#ask("Target.attachToTarget", { targetId, flatten: true });
    page.#sessionId = (attached as { sessionId: string }).sessionId;
    for (const domain of ["Page", "Runtime", "Log"]) await page.#ask(`${domain}.enable`);
    return page;
  }

  async goto(url: string): Promise<void> {
    await this.#andLoad(() => this.#ask("Page.navigate", { url }));
  }

  /** Clicks what `selector` finds, and waits for the page that follows. */
  async follow(selector: string): Promise<void> {
    await this.#andLoad(() => this.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`));
  }

  async fill(selector: string, value: string): Promise<void> {
    await this.evaluate(
      `document.querySelector(${JSON.stringify(selector)}).value = ${JSON.stringify(value)}`,
    );
  }

  /** @throws when the script does. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = (await this.#ask("Runtime.evaluate", {
      expression,
      returnByValue: true,
    })) as { result: { value: Value }; exceptionDetails?: { exception?: { description?: string } } };
    if (exceptionDetails !== undefined) {
      throw new Error(`${expression}: ${exceptionDetails.exception?.description}`);
    }
    return result.value;
  }

  async resize(width: number, height: number): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.#ask("Emulation.setDeviceMetricsOverride", metrics);
  }

  async #andLoad(act: () => Promise<unknown>): Promise<void> {
    this.#loaded = Promise.withResolvers();
    await act();
    await withPatience(this.#loaded.promise, "the page did not load");
  }

  #ask(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    const message = { id, method, params, sessionId: this.#sessionId };
    (this.#child.stdio[3] as Duplex).write(`${JSON.stringify(message)}\0`);
    return withPatience(answer.promise, `the browser did not answer ${method}`);
  }

  #receive(text: string): void {
    const messages = (this.#received + text).split("\0");
    this.#received = messages.pop()!;
    for (const message of messages) this.#take(JSON.parse(message) as Message);
  }

  #take(message: Message): void {
    if (message.id !== undefined) {
      const answer = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error === undefined) answer?.resolve(message.result);
      else answer?.reject(new Error(message.error.message));
    } else if (message.method === "Page.loadEventFired") {
      this.#loaded.resolve();
    } else if (message.method === "Log.entryAdded" || message.method === "Runtime.exceptionThrown") {
      this.complaints.push(JSON.stringify(message.params));
    }
  }
}

async function withPatience<Value>(promise: Promise<Value>, complaint: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${complaint} in ${patienceMs / 1_000} s`)), patienceMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
