/** Broken stores, each by one decision. The simulation must catch every one of them, or it proves nothing. */

import { endless } from "../../../src/session/snapshot.ts";
import { Copies } from "../../../src/session/stores/copies.ts";
import { type SessionEngine, SessionEngineError } from "../../../src/session/stores/engine.ts";
import { Lane } from "../../../src/session/stores/lane.ts";
import { Notices } from "../../../src/session/stores/notices.ts";
import { RowAccess } from "../../../src/session/stores/row-access.ts";

export interface Mutant {
  readonly engine?: (engine: SessionEngine) => SessionEngine;
  /** @returns what undoes it. */
  readonly meddle?: () => () => void;
  /** The seed to begin with, for one that few notice. */
  readonly from?: number;
}

export const mutants: { readonly [name: string]: Mutant } = {
  "a copy is served without a proof": { meddle: () => replaced(Notices.prototype, "isFresh", () => true) },
  "a copy outlives the way of notices": {
    from: 25,
    meddle: () => {
      const undoClear = replaced(Copies.prototype, "clear", () => {});
      const undoWay = replacedGetter(Notices.prototype, "way", () => 1);
      return () => [undoClear, undoWay].forEach((undo) => void undo());
    },
  },
  "nobody listens": {
    engine: (engine) => but(engine, { listen: (holder) => engine.listen(`not ${holder}`, () => {}) }),
  },
  "a notice is for copies alone, not for what is being read": {
    from: 32,
    meddle: () => replaced(Lane.prototype, "notice", () => {}),
  },
  "a change of unknown outcome is forgotten": {
    from: 40,
    meddle: () => replaced(Copies.prototype, "isUnsure", () => false),
  },
  "who holds a session removes it without a notice": {
    from: 18,
    engine: (engine) => {
      let holder = "";
      return but(engine, {
        listen: (name, onChanged) => {
          holder = name;
          return engine.listen(name, onChanged);
        },
        remove: (key) => engine.remove(key, holder),
      });
    },
  },
  "a change replaces any version": {
    engine: (engine) =>
      but(engine, {
        async replace(key, version, write) {
          const row = await engine.read(key);
          return engine.replace(key, row?.version ?? version, write);
        },
      }),
  },
  "a change of what is gone creates": {
    engine: (engine) =>
      but(engine, {
        async replace(key, version, write) {
          const outcome = await engine.replace(key, version, write);
          if (outcome !== "gone") return outcome;
          return (await engine.insert(key, write, endless)) ? "done" : "changed";
        },
      }),
  },
  "a session whose creation may still be made is made again": {
    meddle: () => {
      const { ask } = RowAccess.prototype;
      return replaced(
        RowAccess.prototype,
        "ask",
        function anyTime(this: RowAccess, ...[deadline, begin, done, again]: Parameters<RowAccess["ask"]>) {
          ask.call(this, deadline, begin, done, again === "unmade" ? "always" : again);
        },
      );
    },
  },
  "what may have been written was surely not": {
    engine: (engine) => {
      const lie = <Answer>(answer: Promise<Answer>): Promise<Answer> =>
        answer.catch((error) => {
          throw new SessionEngineError(String(error), "nothing");
        });
      return but(engine, {
        replace: (key, version, write) => lie(engine.replace(key, version, write)),
        insert: (key, write, life) => lie(engine.insert(key, write, life)),
      });
    },
  },
};

function but(engine: SessionEngine, methods: Partial<SessionEngine>): SessionEngine {
  return {
    name: engine.name,
    proveIntervalMs: engine.proveIntervalMs,
    open: () => engine.open(),
    read: (key) => engine.read(key),
    insert: (key, write, life) => engine.insert(key, write, life),
    replace: (key, version, write) => engine.replace(key, version, write),
    touch: (touches) => engine.touch(touches),
    remove: (key, writer) => engine.remove(key, writer),
    removeExpired: (rowsMax) => engine.removeExpired(rowsMax),
    list: (after, rowsMax) => engine.list(after, rowsMax),
    count: () => engine.count(),
    listen: (holder, onChanged) => engine.listen(holder, onChanged),
    close: () => engine.close(),
    ...methods,
  };
}

function replaced<Kind extends object>(prototype: Kind, name: keyof Kind, method: unknown): () => void {
  const before = prototype[name];
  prototype[name] = method as Kind[keyof Kind];
  return () => {
    prototype[name] = before;
  };
}

function replacedGetter(prototype: object, name: string, get: () => unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(prototype, name)!;
  Object.defineProperty(prototype, name, { get, configurable: true });
  return () => void Object.defineProperty(prototype, name, before);
}
