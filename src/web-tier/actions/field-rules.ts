/**
 * The rules `headers:` of a route: fields of requests and answers that are set, added or removed. Names that frame a
 * message were refused when the file was loaded; values are visible ASCII, whatever is filled in (A22).
 */
import type { FieldRules, Template } from "../../config/model.ts";
import { type TemplateValues, templateText } from "./template-text.ts";

export class CompiledFieldRules {
  /** Lower-case names of fields that do not stay. */
  readonly #gone: ReadonlySet<string>;
  readonly #written: readonly { readonly name: string; readonly value: Template }[];

  constructor({ set, add, remove }: FieldRules) {
    this.#gone = new Set([...set.map(({ name }) => name), ...remove].map((name) => name.toLowerCase()));
    this.#written = [...set, ...add];
  }

  /** @param fields "name LF value LF name LF value". */
  ofRequest(fields: string, values: TemplateValues): string {
    const parts = fields === "" ? [] : fields.split("\n");
    let kept = "";
    for (let at = 0; at + 1 < parts.length; at += 2)
      if (!this.#gone.has(parts[at]!.toLowerCase())) kept += `\n${parts[at]}\n${parts[at + 1]}`;
    for (const { name, value } of this.#written) kept += `\n${name}\n${templateText(value, values)}`;
    return kept.slice(1);
  }

  /** @param fields "Name: value CR LF Name: value CR LF". */
  ofAnswer(fields: string, values: TemplateValues): string {
    let kept = "";
    for (let at = 0; at < fields.length; ) {
      const next = fields.indexOf("\r\n", at) + 2;
      const name = fields.slice(at, fields.indexOf(":", at)).toLowerCase();
      if (!this.#gone.has(name)) kept += fields.slice(at, next);
      at = next;
    }
    for (const { name, value } of this.#written) kept += `${name}: ${templateText(value, values)}\r\n`;
    return kept;
  }
}

/** @returns null when there is nothing to do. */
export function compileFieldRules(rules: FieldRules): CompiledFieldRules | null {
  const amount = rules.set.length + rules.add.length + rules.remove.length;
  return amount === 0 ? null : new CompiledFieldRules(rules);
}
