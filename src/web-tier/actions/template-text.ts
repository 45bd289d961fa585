/** Templates of the file, filled in for one request. All that is filled in is visible ASCII: the parser let nothing else in (A22). */
import type { Template } from "../../config/model.ts";

export interface TemplateValues {
  /** Canonical, without query. */
  readonly path: string;
  /** With its "?", or "". */
  readonly query: string;
  /** Without port, "" when an HTTP/1.0 request has none. */
  readonly host: string;
  readonly scheme: string;
  /** The client's address. */
  readonly client: string;
  /** What `$1` ... stand for, at their numbers. */
  readonly groups: readonly string[];
}

export function templateText(template: Template, values: TemplateValues): string {
  let text = "";
  for (let at = 0; at < template.length; at++) {
    const part = template[at]!;
    if (part.kind === "text") text += part.text;
    else if (part.kind === "group") text += values.groups[part.group] ?? "";
    else text += values[part.name];
  }
  return text;
}
