/** `coordination: postgres`: the register of a cluster in one row of a database. */
import type { PostgresSettings } from "../../config/model.ts";
import { CellEngine } from "../cell/cell-engine.ts";
import type { EngineNotes } from "../engine.ts";
import { PostgresStore } from "./store.ts";

export interface PostgresEngineOptions extends EngineNotes {
  /** The cluster's name. */
  readonly cluster: string;
  /** "app-a#incarnation". */
  readonly node: string;
  readonly settings: PostgresSettings;
}

export function postgresEngine({ cluster, node, settings, ...notes }: PostgresEngineOptions): CellEngine {
  const where = `the row ${cluster} of the table ${settings.table} in PostgreSQL`;
  const applicationName = `flotilla ${node.split("#", 1)[0]}`;
  const store = new PostgresStore({ cluster, settings, applicationName, where, onRemark: notes.onProblem });
  return new CellEngine({ ...notes, store, where, node });
}
