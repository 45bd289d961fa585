/** The part of the checked file that says where sessions are: `sessions:` and `coordination:`. */

export interface SessionSettings {
  readonly store: SessionStoreSettings;
  /** `backup`: each session is on two app servers; `backup+disk`: and on the disks of both. */
  readonly durability: "memory" | "backup" | "backup+disk";
  /** Whether a request that changed nothing writes too. `on-shutdown` is what `memory` does anyway. */
  readonly save: "on-change" | "always" | "on-shutdown";
  readonly cookieName: string;
  readonly idleTimeoutMs: number;
  /** From its begin, or Infinity. */
  readonly absoluteTimeoutMs: number;
  /** With a database: whether processes may answer from copies in their memory, or read it with every request. */
  readonly load: "cached" | "always";
  /** Of each process. */
  readonly memoryBytesMax: number;
  /** Of each server, with `backup+disk`. */
  readonly diskBytesMax: number;
}

/** Where a cluster's sessions are: on its servers, or in a database of the site. */
export type SessionStoreSettings = OwnStoreSettings | DatabaseStoreSettings;

export interface OwnStoreSettings {
  /** `file`: there is one app server, and its disk has them. */
  readonly kind: "cluster" | "file";
}

export type DatabaseStoreSettings = PostgresStoreSettings | MysqlStoreSettings | RedisStoreSettings;

export interface PostgresStoreSettings {
  readonly kind: "postgres";
  readonly address: PostgresAddress;
  readonly table: string;
  readonly dataType: "text" | "jsonb" | "bytea";
  /** Of each process. */
  readonly connectionsMax: number;
  /** Null: as its mode wants it, with the authorities that Node knows. */
  readonly tls: EngineTls | null;
}

export interface MysqlStoreSettings {
  readonly kind: "mysql";
  readonly address: MysqlAddress;
  readonly table: string;
  readonly dataType: "longtext" | "longblob" | "json";
  readonly connectionsMax: number;
  readonly tls: EngineTls | null;
}

export interface RedisStoreSettings {
  readonly kind: "redis";
  readonly address: RedisAddress;
  /** What its keys begin with. */
  readonly prefix: string;
  readonly tls: EngineTls | null;
}

/** Who keeps the register of a cluster's sessions. */
export type CoordinationSettings = MembersSettings | EtcdSettings | PostgresSettings;

/** Of an engine outside of the servers. */
interface OuterEngine {
  /** Members keep the register until it is moved to this engine. */
  readonly isMoving: boolean;
}

/** Votes of the app servers' machines. */
export interface MembersSettings {
  readonly engine: "members";
}

export interface EtcdSettings extends OuterEngine {
  readonly engine: "etcd";
  /** Client URLs, at least one: "http://10.0.0.5:2379". */
  readonly endpoints: readonly string[];
  /** The register's key is this and the cluster's name. */
  readonly prefix: string;
  /** Null: it knows no users. */
  readonly user: string | null;
  /** Null exactly with `user`. */
  readonly password: string | null;
  /** Null: as Node does it. */
  readonly tls: EngineTls | null;
}

/** One row of a table in PostgreSQL. */
export interface PostgresSettings extends OuterEngine {
  readonly engine: "postgres";
  readonly address: PostgresAddress;
  /** "flotilla_register", or with its schema before a dot. */
  readonly table: string;
  /** Null: as its mode wants it, with the authorities that Node knows. */
  readonly tls: EngineTls | null;
}

/** A database on one of several hosts, of which one is the primary. */
export interface PostgresAddress {
  readonly hosts: readonly DatabaseHost[];
  readonly database: string;
  readonly user: string;
  /** Null: none, where the server trusts. */
  readonly password: string | null;
  /** As sslmode of libpq. */
  readonly tlsMode: "disable" | "prefer" | "require" | "verify-ca" | "verify-full";
}

export interface MysqlAddress {
  readonly host: DatabaseHost;
  readonly database: string;
  readonly user: string;
  /** Null: none. */
  readonly password: string | null;
  /** As --ssl-mode of its own programs. */
  readonly tlsMode: "disabled" | "required" | "verify-ca" | "verify-identity";
}

export interface RedisAddress {
  readonly host: DatabaseHost;
  /** 0 unless it says otherwise. */
  readonly database: number;
  /** Null: its default user. */
  readonly user: string | null;
  readonly password: string | null;
  readonly isEncrypted: boolean;
}

export interface DatabaseHost {
  /** A name, an address, or a path: of a Unix socket, of PostgreSQL its folder. */
  readonly host: string;
  readonly port: number;
}

/** TLS to an engine outside of the servers. */
export interface EngineTls {
  /** Absolute PEM file of authorities, or null for those of Node. */
  readonly caPath: string | null;
  /** Absolute PEM files of the certificate that we show, and of its key; null: none. */
  readonly certificate: { readonly certPath: string; readonly keyPath: string } | null;
  /** The name that certificates must have; null: the host of the URL. */
  readonly serverName: string | null;
}
