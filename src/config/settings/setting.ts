/** One row of the table of settings: what a key of flotilla.yaml may be. */

/** Kinds of single values; what each may be stands in scalars.ts. */
export type ScalarType =
  | "secret"
  | "flag"
  | "integer"
  | "integerOrAuto"
  | "duration"
  | "durationOrUnlimited"
  | "size"
  | "sizeOrUnlimited"
  | "choice"
  | "letter"
  | "address"
  | "endpoint"
  | "url"
  | "hostField"
  | "serverName"
  | "file"
  | "folder"
  | "command"
  | "hostPattern"
  | "pathPattern"
  | "network"
  | "clusterName"
  | "cookieName"
  | "logTarget"
  | "fileName"
  | "filePath"
  | "method"
  | "regex"
  | "fieldName"
  | "flagOrFile"
  | "fieldValue"
  | "parameterValue"
  | "template"
  | "body"
  | "rate"
  | "percent"
  | "statusRange"
  | "checkTarget"
  | "keyPrefix"
  | "tableName";

/** Kinds of names that the file chooses; what each may be stands in scalars.ts. */
export type NameType = "fieldName" | "answerStatus" | "parameterName";

export interface Setting {
  readonly path: string;
  /** `named`: a section whose keys are names. */
  readonly type: "section" | "named" | "list" | ScalarType;
  readonly description: string;
  /** The version that brought it. */
  readonly since: string;
  /** Accepted, with a warning that it is not in force yet. */
  readonly planned?: true;
  readonly required?: true;
  /** Of numbers their size, of a secret its bytes, of `named` and `list` their entries. */
  readonly minimum?: number;
  readonly maximum?: number;
  /** In the unit of the type. Infinity is written `unlimited`. */
  readonly default?: string | number | boolean;
  readonly choices?: readonly string[];
  /** Of a section: a value that stands there alone is that of this key. */
  readonly shortFor?: string;
  /** Of a list: an entry that stands there alone, without a list around it, is the only one. */
  readonly orSingle?: true;
  /** Of `named`: what its names are. Without it they are names of servers and clusters. */
  readonly names?: NameType;
  /** Exactly one of these keys must be in the section. */
  readonly oneOf?: readonly string[];
  /** Belongs to clusters of this tier only. A cluster with `routes:` is of the web tier, any other of the app tier. */
  readonly tier?: "web" | "app";
}

/** The version that brought the first ones. */
export const since = "0.1";
export const dayMs = 86_400_000;
