/**
 * Texts with parts of the request in them: where a redirect leads, what a path is rewritten to, values of header
 * fields. `$1` to `$9` are what the route's `pathRegex`, or the star of its `path`, stood for.
 */

export const templateVariables = ["path", "query", "host", "scheme", "client"] as const;
export type TemplateVariable = (typeof templateVariables)[number];

/** A text as it is, the number of a group, or a variable. */
export type TemplatePart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "group"; readonly group: number }
  | { readonly kind: "variable"; readonly name: TemplateVariable };

const dollar = /\$(?:(\d)|([a-z]+)|(\$))?/g;

/** @param text checked with `templateTrouble`. */
export function parseTemplate(text: string): readonly TemplatePart[] {
  const parts: TemplatePart[] = [];
  let from = 0;
  let plain = "";
  for (const match of text.matchAll(dollar)) {
    const [whole, digit, name] = match;
    plain += text.slice(from, match.index);
    from = match.index + whole.length;
    if (digit === undefined && name === undefined) {
      plain += "$";
      continue;
    }
    if (plain !== "") parts.push({ kind: "text", text: plain });
    plain = "";
    if (digit !== undefined) parts.push({ kind: "group", group: Number(digit) });
    else parts.push({ kind: "variable", name: name as TemplateVariable });
  }
  plain += text.slice(from);
  if (plain !== "" || parts.length === 0) parts.push({ kind: "text", text: plain });
  return parts;
}

/** Why the text is no template, or null. */
export function templateTrouble(text: string): string | null {
  for (const [whole, digit, name, escaped] of text.matchAll(dollar)) {
    if (escaped !== undefined) continue;
    if (digit !== undefined && digit !== "0") continue;
    if (name !== undefined && (templateVariables as readonly string[]).includes(name)) continue;
    return whole === "$" ? "a $ that is meant as such is written $$" : `${whole} is not known`;
  }
  return null;
}

/** The highest group that the template asks for, 0 for none. */
export function highestGroup(parts: readonly TemplatePart[]): number {
  return Math.max(0, ...parts.map((part) => (part.kind === "group" ? part.group : 0)));
}
