/** The table of settings as a page for people: docs/reference.md. */
import { defaultText, scalars } from "../src/config/scalars.ts";
import type { Setting } from "../src/config/settings/setting.ts";
import { fileShape, type Shape } from "../src/config/shape.ts";

const head = `# Reference of flotilla.yaml

Every key of the file. \`<name>\` is a name that you choose, \`[]\` is each item of a list. Durations and sizes
have a unit: \`250ms\`, \`5s\`, \`2m\`, \`1h\`, \`30d\`; \`16KiB\` is 16 times 1,024 bytes, \`16KB\` is 16,000. In every
value \`\${file:NAME}\` stands for the text of a file and \`\${env:NAME}\` for a variable of the environment.
The guide is [configuration.md](configuration.md).

This page is generated from the table of settings in the source (src/config/settings.ts) by \`npm run generate\`.
`;

/** The whole page, in Markdown. */
export function referencePage(): string {
  return `${[head, ...sections(fileShape)].join("\n")}`;
}

function sections(shape: Shape): string[] {
  const inner = [...shape.keys.values()].flatMap((key) => sectionsBelow(key));
  return [sectionText(shape), ...inner];
}

/** Sections that a key opens, through names and lists. */
function sectionsBelow(shape: Shape): string[] {
  if (shape.each !== null) return sectionsBelow(shape.each);
  return shape.setting.type === "section" ? sections(shape) : [];
}

function sectionText({ setting, keys }: Shape): string {
  const title = setting.path === "" ? "The top of the file" : `\`${setting.path}\``;
  const oneOf = setting.oneOf?.map((key) => `\`${key}:\``).join(" or ");
  const rows = [...keys].map(([key, shape]) => row(key, shape));
  return [
    `## ${title}`,
    "",
    ...(setting.path === "" ? [] : [`${notes(setting)}${setting.description}`, ""]),
    ...(oneOf === undefined ? [] : [`Exactly one of ${oneOf} must be there.`, ""]),
    "| key | allowed | default | meaning |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

function row(key: string, shape: Shape): string {
  const { setting } = shape;
  const cells = [`\`${key}\``, allowed(shape), defaultOf(setting), `${notes(setting)}${setting.description}`];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function allowed({ setting, keys, each }: Shape): string {
  switch (setting.type) {
    case "section":
      return setting.shortFor === undefined
        ? "a section, see below"
        : `${allowed(keys.get(setting.shortFor)!)}, which is its \`${setting.shortFor}:\`; or a section, see below`;
    case "named":
      return each?.setting.type === "section"
        ? `${setting.minimum} to ${setting.maximum} named sections, see below`
        : `up to ${setting.maximum} names, each with ${allowed(each!)}`;
    case "list":
      return each?.setting.type === "section"
        ? `${setting.orSingle === true ? "a section, or " : ""}a list of up to ${setting.maximum} sections, see below`
        : `${setting.orSingle === true ? "one, or " : ""}a list of up to ${setting.maximum}: ${allowed(each!)}`;
    default:
      return scalars[setting.type].allowed(setting);
  }
}

function defaultOf(setting: Setting): string {
  if (setting.required === true) return "required";
  const text = defaultText(setting);
  return text === null ? "" : `\`${text}\``;
}

function notes({ planned, tier }: Setting): string {
  const planning = planned === true ? "**Not in force in this version.** " : "";
  return `${planning}${tier === undefined ? "" : `(${tier === "web" ? "Web" : "App"} tier.) `}`;
}
