/** The benchmark's application behind two app processes, with sessions in one store. */
import { until } from "../../test/harness/process.ts";
import { AppProcesses } from "../sessions/app-processes.ts";
import { isDoubled } from "../sessions/site.ts";
import type { Database, DatabaseKind } from "./databases.ts";

/** Somebody who keeps sessions. */
export interface Keeper {
  /** "redis, load: always". */
  readonly name: string;
  /** As the application knows it. */
  readonly app: "none" | "flotilla" | "connect-redis" | "connect-pg-simple";
  /** The file's section `sessions`, of ours. @param url of the database. */
  readonly section?: (url: string) => string;
  readonly database?: DatabaseKind;
  /** Default 2. */
  readonly processes?: number;
}

function ours(database: DatabaseKind, load: "cached" | "always"): Keeper {
  const section = (url: string): string => `{ store: { ${database}: "${url}" }, load: ${load} }`;
  return { name: `${database}, load: ${load}`, app: "flotilla", section, database };
}

/** Ours, and beside those on a database who else keeps sessions there. */
export const keepers: readonly Keeper[] = [
  { name: "none", app: "none" },
  { name: "cluster", app: "flotilla", section: () => "{ durability: backup }" },
  { name: "file", app: "flotilla", section: () => "{ store: file }", processes: 1 },
  ours("redis", "cached"),
  ours("redis", "always"),
  { name: "connect-redis", app: "connect-redis", database: "redis" },
  ours("postgres", "cached"),
  ours("postgres", "always"),
  { name: "connect-pg-simple", app: "connect-pg-simple", database: "postgres" },
  ours("mysql", "cached"),
  ours("mysql", "always"),
];

export class StoreSite {
  readonly kind: string;
  readonly keeper: Keeper;
  readonly #apps: AppProcesses;
  readonly #database: Database | null;

  private constructor(keeper: Keeper, apps: AppProcesses, database: Database | null) {
    this.kind = keeper.name;
    this.keeper = keeper;
    this.#apps = apps;
    this.#database = database;
  }

  /** Ready for requests. @throws with what its processes wrote; nothing is left behind then. */
  static async start(keeper: Keeper, databases: ReadonlyMap<DatabaseKind, Database>): Promise<StoreSite> {
    const { name, app, section, database: kind, processes = 2 } = keeper;
    const database = kind === undefined ? null : databases.get(kind)!;
    const apps = await AppProcesses.prepare(name.replaceAll(/\W+/g, "-"), processes);
    try {
      const urls = { REDIS_URL: database?.url ?? "", POSTGRES_URL: database?.url ?? "" };
      const path = section === undefined ? null : await apps.writeFile(section(database?.url ?? ""));
      await apps.start(app, path === null ? urls : { FLOTILLA_CONFIG: path });
      if (name === "cluster") await until("every session slot has two copies", () => isDoubled(path!));
    } catch (thrown) {
      const { output } = apps;
      await apps.stop();
      throw new Error(`${name} did not start: ${String(thrown)}\n${output}`);
    }
    return new StoreSite(keeper, apps, database);
  }

  get ports(): readonly number[] {
    return this.#apps.ports;
  }

  get appPids(): readonly number[] {
    return this.#apps.pids;
  }

  get databasePid(): number | null {
    return this.#database === null ? null : this.#database.pid;
  }

  async stop(): Promise<void> {
    await this.#apps.stop();
  }
}
