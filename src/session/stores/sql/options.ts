/** What the factories for SQL databases are given, checked when the store is made. */
import type { ConnectionOptions } from "node:tls";
import { isTableName } from "../../../config/scalars.ts";
import { sessionStores as limits } from "../../../support/limits.ts";
import { refuseOption, refuseUnknown } from "../../refused-option.ts";
import type { TlsOption } from "../driver.ts";

export interface SqlStoreOptions {
  user?: string;
  password?: string;
  tls?: TlsOption;
  /** Default "flotilla_sessions"; with its schema or database before a dot. Made when there is none. */
  table?: string;
  /** Of each process, at the most; default 10. With PostgreSQL one of them is for notices, where copies are kept in memory. */
  connectionsMax?: number;
}

/** What the address of the database says. */
interface SqlUrl {
  readonly user: string | null;
  readonly password: string | null;
}

const known = ["url", "pool", "user", "password", "tls", "table", "dataType", "connectionsMax"];

/** @throws FlotillaError FLOTILLA_SESSION_OPTION */
export class SqlOptions {
  readonly #factory: string;
  readonly #options: SqlStoreOptions & { url?: string; pool?: unknown; dataType?: string };

  /** @param factory "postgresStore" */
  constructor(
    factory: string,
    options: SqlStoreOptions & { url?: string; pool?: unknown; dataType?: string },
  ) {
    this.#factory = factory;
    this.#options = options ?? {};
    if (typeof options === "string") this.refuse("url", "it is to stand in braces, as here");
    if (typeof (options as { on?: unknown } | undefined)?.on === "function")
      this.refuse("pool", "it is to stand in braces, as here");
    refuseUnknown(factory, this.#options, known);
    const { url, pool } = this.#options;
    if ((url === undefined) === (pool === undefined)) this.refuse("url", "give either a url or a pool");
    if (pool === undefined) return;
    for (const name of ["user", "password", "tls", "connectionsMax"] as const)
      if (this.#options[name] !== undefined) this.refuse(name, "the pool says it");
  }

  get table(): string {
    const { table = "flotilla_sessions" } = this.#options;
    if (typeof table !== "string" || !isTableName(table))
      this.refuse(
        "table",
        "it is small letters, digits and _ up to 63, with or without a schema before a dot",
      );
    return table;
  }

  get connectionsMax(): number {
    const { connectionsMax = limits.connections } = this.#options;
    if (!Number.isInteger(connectionsMax) || connectionsMax < 1 || connectionsMax > limits.connectionsMax)
      this.refuse("connectionsMax", `it is a number from 1 to ${limits.connectionsMax}`);
    return connectionsMax;
  }

  /** @param types the first is the default. */
  dataType<Type extends string>(types: readonly [Type, ...Type[]]): Type {
    const { dataType = types[0] } = this.#options;
    if (!(types as readonly string[]).includes(dataType))
      this.refuse("dataType", `it is one of ${types.join(", ")}`);
    return dataType as Type;
  }

  url<Url extends SqlUrl>(parse: (text: string) => Url | string): Url & { readonly user: string } {
    const { url: text, user, password } = this.#options;
    const url = typeof text === "string" ? parse(text) : "is a text";
    if (typeof url === "string") this.refuse("url", `it ${url}`);
    for (const [name, value] of Object.entries({ user, password }))
      if (value !== undefined && url[name as keyof SqlUrl] !== null)
        this.refuse(name, "it stands in the url, too");
    const who = user ?? url.user;
    if (who === null) this.refuse("user", "it is needed where the url names none");
    return { ...url, user: who, password: password ?? url.password };
  }

  /** Null: not given. */
  get tls(): (() => Promise<ConnectionOptions>) | null {
    const { tls } = this.#options;
    if (tls === undefined) return null;
    return async () => (typeof tls === "function" ? await tls() : tls);
  }

  refuse(name: string, reason: string): never {
    refuseOption(this.#factory, name, reason);
  }
}
