/** Servers of one cluster as a web server's process judges them, on a clock that the test moves. */
import type { Server } from "../../src/config/model.ts";
import { HealthWatch } from "../../src/health/health-watch.ts";
import { type HealthSettings, ServerHealth } from "../../src/health/server-health.ts";
import { noNews, type ServerNews } from "../../src/health/server-news.ts";
import type { Waiting } from "../../src/health/waiting-list.ts";
import { FakeClock, LogRecorder } from "./link-pair.ts";

/** One request at one server; moves away when it is told that nobody answers. */
export class FakeRequest implements Waiting {
  awaitedSinceMs: number;
  nextWaiting: Waiting | null = null;
  previousWaiting: Waiting | null = null;
  /** It was told so. */
  moved = false;
  readonly #server: ServerHealth;

  constructor(server: ServerHealth, awaitedSinceMs: number) {
    this.#server = server;
    this.awaitedSinceMs = awaitedSinceMs;
  }

  onSilent(): void {
    this.moved = true;
    this.#server.done(this);
  }
}

export class FakeCluster {
  readonly clock: FakeClock = new FakeClock();
  readonly recorder: LogRecorder = new LogRecorder();
  readonly watch: HealthWatch;
  readonly servers: ServerHealth[] = [];

  constructor(
    kinds: readonly Server["kind"][],
    settings: HealthSettings = { slowStartMs: 10_000, recoverTimeMs: 15_000 },
  ) {
    this.watch = new HealthWatch(this.clock, () => 0, this.recorder.log);
    for (const kind of kinds) {
      const name = `app-${String.fromCharCode(97 + this.servers.length)}`;
      this.servers.push(new ServerHealth({ name, weight: 2, kind }, settings, this.watch, false));
      if (kind === "link") this.servers.at(-1)!.connected("one");
    }
    this.watch.clusters = [this.servers];
  }

  get lines(): readonly string[] {
    return this.recorder.lines;
  }

  send(server: ServerHealth): FakeRequest {
    const request = new FakeRequest(server, this.clock.now());
    server.sent(request);
    return request;
  }

  answer(server: ServerHealth, request: FakeRequest, status: number = 200): void {
    server.answered(request, status, this.clock.now());
    server.done(request);
  }

  /** A request that is answered at once. */
  ask(server: ServerHealth, status: number = 200): void {
    this.answer(server, this.send(server), status);
  }

  /** What the main process says. */
  tell(server: ServerHealth, news: Partial<ServerNews>): void {
    server.hear({ ...noNews(server.name), ...news });
  }
}
