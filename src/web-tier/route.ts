/** A route of the file, compiled when it is loaded: what is not asked for costs no request anything. */
import type { Route } from "../config/model.ts";
import type { OwnAction } from "./actions/action.ts";
import { redirectAction } from "./actions/redirect.ts";
import { respondAction } from "./actions/respond.ts";
import { groupFinder } from "./route-tests.ts";
import type { Rewriting } from "./routed-request.ts";
import type { ServerPool } from "./server-pool.ts";

export interface CompiledRoute extends Rewriting {
  readonly source: Route;
  /** The servers that answer, or null: the action does. */
  readonly pool: ServerPool | null;
  readonly action: OwnAction | null;
}

/** @param pools by the name of their cluster. */
export function compileRoute(source: Route, pools: ReadonlyMap<string, ServerPool>): CompiledRoute {
  const { to, redirect, respond, rewrite } = source;
  const templates = [rewrite, redirect?.to ?? null];
  const asksForGroups = templates.some((template) => template?.some(({ kind }) => kind === "group"));
  return {
    source,
    pool: to === null ? null : pools.get(to)!,
    action: actionOf(redirect, respond),
    rewrite,
    groupsOf: asksForGroups ? groupFinder(source) : null,
  };
}

function actionOf(redirect: Route["redirect"], respond: Route["respond"]): OwnAction | null {
  if (redirect !== null) return redirectAction(redirect);
  return respond === null ? null : respondAction(respond);
}
