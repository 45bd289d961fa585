import assert from "node:assert/strict";
import { test } from "node:test";
import type { Server } from "../config/model.ts";
import type { Log } from "../support/log.ts";
import type { Ending } from "./program.ts";
import { portTrouble, tellingWhenUnheard, troubleOf } from "./unheard.ts";
import type { StartProgram } from "./unit.ts";

const server = { name: "app-a", address: "192.168.0.10", port: 6800 } as Server;

function pass(): StartProgram {
  return () => ({ pid: 0, terminate() {}, interrupt() {}, kill() {} });
}

test("after ten seconds it is asked, and told of once when it does not answer", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  for (const answers of [true, false]) {
    const told: string[] = [];
    const log = { warn: (text: string) => void told.push(text) } as unknown as Log;
    tellingWhenUnheard(server, log, pass(), (answer) => answer(answers))(
      () => {},
      () => {},
    );
    t.mock.timers.tick(9_999);
    assert.equal(told.length, 0);
    t.mock.timers.tick(20_000);
    assert.equal(told.length, answers ? 0 : 1);
  }
});

test("one that has ended is not told of", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let end!: (ending: Ending) => void;
  const start: StartProgram = (onLine, onEnd) => {
    end = onEnd;
    return pass()(onLine, onEnd);
  };
  const log = { warn: assert.fail } as unknown as Log;
  tellingWhenUnheard(server, log, start, () => assert.fail())(
    () => {},
    () => {},
  );
  end({ code: 0, signal: null, failure: null });
  t.mock.timers.tick(60_000);
});

test("who has the port of the cluster, and does not speak its language, is told of", () => {
  const ports = [{ port: 6800, pid: 7, program: "bun" }];
  assert.match(
    troubleOf(server, ports),
    /^app-a does not answer .* \(bun, process 7\) listens on 192\.168\.0\.10:6800 itself.*`attach: false`/,
  );
});

test("who listens elsewhere, or nowhere, is told of with what to do", () => {
  assert.match(
    troubleOf(server, [{ port: 3000, pid: 7, program: "bun" }]),
    /^app-a has not opened its cluster port 192\.168\.0\.10:6800 within 10 s.*port 3000 \(bun, process 7\) instead.*`attach: false`.*NODE_OPTIONS="\$NODE_OPTIONS/,
  );
  assert.match(troubleOf(server, []), /its program listens nowhere \(yet\)/);
});

test("a proxied program that does not listen on PORT is told of", () => {
  assert.match(
    portTrouble(server, 41_000, []),
    /^app-a: .*PORT \(41000\) of 127\.0\.0\.1 within 10 s.*nowhere \(yet\)/,
  );
  const ports = [{ port: 3000, pid: 7, program: "python3" }];
  assert.match(portTrouble(server, 41_000, ports), /it listens on port 3000 \(python3, process 7\) instead/);
});
