/** The databases of the benchmark of stores: real ones, with their own defaults, on the core of the app processes. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Mariadb, whyNoMariadb } from "../../test/harness/mariadb.ts";
import { Postgres, whyNoPostgres } from "../../test/harness/postgres.ts";
import { Redis, whyNoRedis } from "../../test/harness/redis.ts";
import { pinning } from "../commands.ts";
import { withDescendants } from "../cpu-time.ts";

export type DatabaseKind = "redis" | "postgres" | "mysql";

export interface Database {
  readonly url: string;
  readonly pid: number;
  remove(): Promise<void>;
}

interface Product {
  /** Why there can be none here, or null. */
  readonly whyNone: () => string | null;
  readonly start: () => Promise<Database>;
}

const products: Readonly<Record<DatabaseKind, Product>> = {
  // Snapshots now and then, no append-only file.
  redis: { whyNone: whyNoRedis, start: () => Redis.start({ save: "3600 1 300 100 60 10000" }) },
  postgres: { whyNone: whyNoPostgres, start: startPostgres },
  // A commit is on the disk.
  mysql: { whyNone: whyNoMariadb, start: startMariadb },
};

async function startMariadb(): Promise<Database> {
  const server = await Mariadb.start({ settings: ["--innodb-buffer-pool-size=128M"] });
  return { url: server.url(), pid: server.pid, remove: () => server.remove() };
}

/** A commit is on the disk, too. connect-pg-simple makes its table itself only where one process starts at a time. */
async function startPostgres(): Promise<Database> {
  const server = await Postgres.start({ settings: ["max_connections = 100", "shared_buffers = 128MB"] });
  const table = createRequire(import.meta.url).resolve("connect-pg-simple/table.sql");
  await server.sql(readFileSync(table, "utf8"));
  return { url: server.url(), pid: server.pid, remove: () => server.remove() };
}

export function whyNoDatabase(kind: DatabaseKind): string | null {
  return products[kind].whyNone();
}

export async function startDatabase(kind: DatabaseKind): Promise<Database> {
  const database = await products[kind].start();
  if (!pinning) return database;
  // What they start later is there as well.
  for (const pid of withDescendants([database.pid]))
    execFileSync("taskset", ["-acp", "0", String(pid)], { stdio: "ignore" });
  return database;
}
