/** A route of the file, compiled when it is loaded: what is not asked for costs no request anything. */
import type { Route, Template } from "../config/model.ts";
import { files as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { Seldom } from "../support/seldom.ts";
import { count } from "../support/words.ts";
import type { OwnAction } from "./actions/action.ts";
import { type Admission, compileAdmission } from "./actions/admission.ts";
import { type CompiledFieldRules, compileFieldRules } from "./actions/field-rules.ts";
import { redirectAction } from "./actions/redirect.ts";
import { respondAction } from "./actions/respond.ts";
import { filesAction } from "./files/file-action.ts";
import type { FileCache } from "./files/file-cache.ts";
import type { Complain } from "./files/file-reading.ts";
import { groupFinder } from "./route-tests.ts";
import type { Rewriting } from "./routed-request.ts";
import type { ServerPool } from "./server-pool.ts";

export interface CompiledRoute extends Rewriting {
  readonly source: Route;
  /** The servers that answer, or null: the action does. */
  readonly pool: ServerPool | null;
  readonly action: OwnAction | null;
  readonly compresses: boolean;
  // Null: nothing is asked for, and nothing is done.
  readonly admission: Admission | null;
  readonly requestFields: CompiledFieldRules | null;
  readonly answerFields: CompiledFieldRules | null;
}

/** What routes of one web server share. */
export interface RouteParts {
  /** By the name of their cluster. */
  readonly pools: ReadonlyMap<string, ServerPool>;
  readonly files: FileCache;
  readonly log: Log;
  /** Of routes that do not say themselves. */
  readonly compress: boolean;
}

export function compileRoute(source: Route, parts: RouteParts): CompiledRoute {
  const { to, rewrite, requestFields, answerFields } = source;
  const asksForGroups = templatesOf(source).some((template) => template.some(({ kind }) => kind === "group"));
  return {
    source,
    pool: to === null ? null : parts.pools.get(to)!,
    action: actionOf(source, parts),
    compresses: source.compress ?? parts.compress,
    rewrite,
    groupsOf: asksForGroups ? groupFinder(source) : null,
    admission: compileAdmission(source),
    requestFields: compileFieldRules(requestFields),
    answerFields: compileFieldRules(answerFields),
  };
}

function templatesOf({ rewrite, redirect, requestFields, answerFields }: Route): Template[] {
  const rules = [requestFields, answerFields].flatMap(({ set, add }) => [...set, ...add]);
  return [rewrite ?? [], redirect?.to ?? [], ...rules.map(({ value }) => value)];
}

function actionOf({ redirect, respond, files }: Route, parts: RouteParts): OwnAction | null {
  if (redirect !== null) return redirectAction(redirect);
  if (respond !== null) return respondAction(respond);
  return files === null ? null : filesAction(files, parts.files, complaints(parts.log));
}

/** A disk that fails fails every request. */
function complaints(log: Log): Complain {
  const seldom = new Seldom(limits.complaintIntervalMs);
  return (what, error) => {
    const times = seldom.add();
    if (times > 0) log.warn(`${what}${error === null ? "" : `: ${error.message}`} (${count(times, "time")})`);
  };
}
