/** What the suites are given by those who wrote a store: a word that is misspelt would leave rules out without a word. */
import { refuseOption, refuseUnknown } from "../refused-option.ts";
import type { SessionEngine } from "../stores/engine.ts";
import { whyNoEngine } from "../stores/given-store.ts";

/** What may stand in a session's data; "deep": 100 lists in each other. */
export type TextKind = "nul" | "lone surrogates" | "deep";

const textKinds: readonly unknown[] = ["nul", "lone surrogates", "deep"] satisfies TextKind[];

type Given<Name extends string> = { readonly [Each in Name]?: unknown };

const flags = ["isForOneProcess", "isOtherDataType"] as const;
const ofEngine = [
  "name",
  "open",
  "isForOneProcess",
  "cannotHold",
  "isOtherDataType",
  "waitingRulesAtOnce",
] as const;

/** @param call "engineConformance". @throws FlotillaError FLOTILLA_SESSION_OPTION */
export function checkEngineSuite(call: string, suite: Given<(typeof ofEngine)[number]>): void {
  refuseUnknown(call, suite, ofEngine);
  checkCommon(call, suite);
  for (const flag of flags)
    if (suite[flag] !== undefined && typeof suite[flag] !== "boolean")
      refuseOption(call, flag, "it is true or false");
  const { waitingRulesAtOnce = 1 } = suite;
  if (!Number.isInteger(waitingRulesAtOnce) || Number(waitingRulesAtOnce) < 1)
    refuseOption(call, "waitingRulesAtOnce", "it is a number from 1");
}

/** @throws FlotillaError FLOTILLA_SESSION_OPTION */
export function checkStoreSuite(suite: Given<"name" | "open" | "seenWithinMs" | "cannotHold">): void {
  const call = "storeConformance";
  refuseUnknown(call, suite, ["name", "open", "seenWithinMs", "cannotHold"]);
  checkCommon(call, suite);
  const { seenWithinMs = 0 } = suite;
  if (typeof seenWithinMs !== "number" || !(seenWithinMs >= 0))
    refuseOption(call, "seenWithinMs", "it is a number of milliseconds");
}

function checkCommon(
  call: string,
  { name, open, cannotHold = [] }: Given<"name" | "open" | "cannotHold">,
): void {
  if (typeof name !== "string" || name === "")
    refuseOption(call, "name", "it is a text, for the tests' names");
  if (typeof open !== "function")
    refuseOption(call, "open", "it is a function that gives an empty database, or a promise of one");
  if (!Array.isArray(cannotHold) || cannotHold.some((kind) => !textKinds.includes(kind)))
    refuseOption(call, "cannotHold", `it is a list of ${textKinds.map((kind) => `"${kind}"`).join(", ")}`);
}

interface Database {
  connect(): SessionEngine;
  end(): Promise<void>;
}

/** What `open` gave. @throws FlotillaError FLOTILLA_SESSION_OPTION */
export function checkEngineDatabase(database: Database): Database {
  for (const name of ["connect", "end"] as const)
    if (typeof database?.[name] !== "function") refuseOption("open() => ", name, "it is a function");
  const connect = (): SessionEngine => {
    const engine = database.connect();
    const wrong = whyNoEngine(engine);
    if (wrong !== null) refuseOption("connect() => ", "engine", wrong);
    return engine;
  };
  return { connect, end: () => database.end() };
}
