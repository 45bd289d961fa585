/** Reports from an app server's end to a web server's, over a link in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, handlerOf, MemoryPair } from "../../test/harness/link-pair.ts";
import { type LinkStream, ResetCode, StreamKind, type StreamService } from "../link/api.ts";
import { load as limits } from "../support/limits.ts";
import type { LoadRecord } from "./record.ts";
import { readLoad } from "./report-reader.ts";
import { LoadReports } from "./report-service.ts";
import { LoadSampler } from "./sampler.ts";

/** The two ends, settled; `streams`: of requests, as the app server has them. */
function pair(): {
  clock: FakeClock;
  both: MemoryPair;
  reports: LoadReports;
  records: LoadRecord[];
  app: { inFlight: number };
  stream: () => LinkStream;
} {
  const clock = new FakeClock();
  const app = { inFlight: 0 };
  const reports = new LoadReports(
    () => app.inFlight,
    clock,
    (now) => new LoadSampler(now, "/nowhere"),
  );
  const streams: LinkStream[] = [];
  const http: StreamService = {
    onStream(stream) {
      streams.push(stream);
      return handlerOf();
    },
  };
  const services = new Map<StreamKind, StreamService>([
    [StreamKind.http, http],
    [StreamKind.load, reports],
  ]);
  const both = new MemoryPair({}, { services });
  both.settle();
  const records: LoadRecord[] = [];
  readLoad(both.a.connection, (record) => records.push(record));
  both.settle();
  const stream = (): LinkStream => {
    both.a.connection.open(StreamKind.http, "GET /", true, handlerOf());
    both.settle();
    return streams.pop()!;
  };
  return { clock, both, reports, records, app, stream };
}

test("one report at once, then one a second, four while there are requests", () => {
  const { clock, both, records, app } = pair();
  assert.deepEqual(
    records.map(({ inFlight }) => inFlight),
    [0],
  );
  clock.advance(limits.reportIntervalMs);
  both.settle();
  assert.equal(records.length, 2);
  for (let ms = 0; ms < 3_000; ms += 50) {
    clock.advance(50);
    both.settle();
  }
  assert.equal(records.length, 5);
  app.inFlight = 3;
  for (let ms = 0; ms < 2_000; ms += 50) {
    clock.advance(50);
    both.settle();
  }
  assert.ok(records.length >= 5 + 4 && records.length <= 5 + 8, `${records.length} reports`);
  assert.equal(records.at(-1)!.inFlight, 3);
});

test("beside an answer when the last report is old, in the same write", () => {
  const { clock, both, reports, records, stream } = pair();
  const answer = (): void => {
    const request = stream();
    both.b.connection.sender.flush();
    request.end();
    reports.answered(request);
    both.b.connection.sender.flush();
  };
  clock.advance(limits.answerReportMs - 1);
  answer();
  both.settle();
  assert.equal(records.length, 1);
  clock.advance(1);
  const writes = both.b.transport.writes.length;
  answer();
  assert.equal(both.b.transport.writes.length, writes + 1);
  both.settle();
  assert.equal(records.length, 2);
});

test("a web server that stands still gets one window of reports, and the newest when it reads again", () => {
  const { clock, both, reports, records, app, stream } = pair();
  const request = stream();
  for (let sent = 1; sent <= 1_000; sent++) {
    app.inFlight = sent;
    clock.advance(limits.answerReportMs);
    reports.answered(request);
  }
  both.b.connection.sender.flush();
  // What is on its way is bounded by credit, and what waits by one report.
  assert.ok(both.b.transport.waitingBytes < limits.windowBytes + 4_096);
  both.settle();
  const stale = records.at(-1)!.inFlight!;
  assert.ok(stale < 1_000);
  clock.advance(limits.idleReportIntervalMs);
  both.settle();
  assert.equal(records.at(-1)!.inFlight, 1_000);
});

test("one stream of a link is enough", () => {
  const { both, records } = pair();
  const resets: string[] = [];
  both.a.connection.open(
    StreamKind.load,
    "",
    true,
    handlerOf({ onReset: (_stream, code, message) => void resets.push(`${code} ${message}`) }),
  );
  both.settle();
  assert.deepEqual(resets, [`${ResetCode.refused} load is reported on one stream of a link`]);
  assert.equal(records.length, 1);
});

test("nobody reads any more: the process is looked at no more", () => {
  const { clock, both } = pair();
  assert.notEqual(clock.nextDelayMs, null);
  both.b.connection.destroy("the end");
  assert.equal(clock.nextDelayMs, null);
});

test("an app server of an older release reports nothing, and its link lives", () => {
  const both = new MemoryPair();
  both.settle();
  const records: LoadRecord[] = [];
  readLoad(both.a.connection, (record) => records.push(record));
  both.settle();
  assert.deepEqual(records, []);
  assert.equal(both.a.connection.usable, true);
  assert.equal(both.a.connection.streamCount, 0);
});

/** An app server that writes what it likes on the stream. */
function hostile(...texts: readonly string[]): { both: MemoryPair; records: LoadRecord[]; resets: number[] } {
  const resets: number[] = [];
  const service: StreamService = {
    onStream(stream) {
      for (const text of texts) stream.write(text, "latin1");
      return handlerOf({ onReset: (_stream, code) => void resets.push(code) });
    },
  };
  const both = new MemoryPair({}, { services: new Map([[StreamKind.load, service]]) });
  both.settle();
  const records: LoadRecord[] = [];
  readLoad(both.a.connection, (record) => records.push(record));
  both.settle();
  return { both, records, resets };
}

test("a report that can't be read is passed over", () => {
  const { both, records, resets } = hostile("inflight=-1\n\n\0\xff\n");
  assert.deepEqual([records, resets], [[], []]);
  assert.equal(both.a.connection.usable, true);
});

test("of many reports in one read the last one counts, one in pieces is put together", () => {
  const { records } = hostile("inflight=1\ninflight=2\ninfl", "ight=3", "\n");
  assert.deepEqual(
    records.map(({ inFlight }) => inFlight),
    [3],
  );
});

test("a report without an end ends the stream, and nothing else", () => {
  const { both, records, resets } = hostile("x".repeat(100_000));
  assert.deepEqual([records, resets], [[], [ResetCode.protocol]]);
  assert.equal(both.a.connection.usable, true);
});
