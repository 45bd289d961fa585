/** The table of settings as a JSON Schema (draft-07, which editors' YAML support knows), for completion and hints. */
import { defaultText, nameTypes, scalars } from "./scalars.ts";
import type { ScalarType, Setting } from "./settings/setting.ts";
import { fileShape, type Shape } from "./shape.ts";

/** A fresh copy at every call. Published as `flotilla/schema.json`. */
export function jsonSchema(): Record<string, unknown> {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "flotilla.yaml",
    ...schemaOf(fileShape),
  };
}

function schemaOf(shape: Shape): Record<string, unknown> {
  const { setting } = shape;
  const described = { description: describe(shape) };
  switch (setting.type) {
    case "section":
      return { ...described, ...shortOr(sectionSchema(shape), shape) };
    case "named":
      return {
        ...described,
        type: "object",
        propertyNames: { pattern: `^${nameTypes[setting.names ?? "name"].source}$` },
        additionalProperties: schemaOf(shape.each!),
        minProperties: setting.minimum ?? 0,
        maxProperties: setting.maximum,
      };
    case "list":
      return { ...described, ...listSchema(shape) };
    default:
      return { ...described, ...defaulted(setting), ...scalarSchema(setting.type, setting) };
  }
}

function shortOr(section: Record<string, unknown>, { setting, keys }: Shape): Record<string, unknown> {
  if (setting.shortFor === undefined) return section;
  const { description: _told, ...short } = schemaOf(keys.get(setting.shortFor)!);
  return { anyOf: [short, section] };
}

function listSchema({ setting, each }: Shape): Record<string, unknown> {
  const list = {
    type: "array",
    items: schemaOf(each!),
    minItems: setting.minimum ?? 0,
    maxItems: setting.maximum,
  };
  return setting.orSingle === true ? { anyOf: [schemaOf(each!), list] } : list;
}

function scalarSchema(type: ScalarType, setting: Setting): Record<string, unknown> {
  const schema = scalars[type].schema(setting);
  const anyText = schema.type === "string" && schema.pattern === undefined && schema.minLength === 1;
  return anyText ? schema : { anyOf: [schema, substituted] };
}

function defaulted(setting: Setting): Record<string, unknown> {
  const text = defaultText(setting);
  if (text === null) return {};
  return { default: setting.type === "integer" || setting.type === "flag" ? setting.default : text };
}

/** What `${file:}` or `${env:}` stands for is known only when the file is read. */
const substituted = { type: "string", pattern: "\\$\\{(file|env):[^{}]+\\}" };

function sectionSchema({ setting, keys }: Shape): Record<string, unknown> {
  const required = [...keys].filter(([, key]) => key.setting.required === true).map(([name]) => name);
  return {
    type: "object",
    properties: Object.fromEntries([...keys].map(([name, key]) => [name, schemaOf(key)])),
    additionalProperties: false,
    ...(required.length > 0 ? { required } : {}),
    ...(setting.oneOf === undefined ? {} : { oneOf: setting.oneOf.map((key) => ({ required: [key] })) }),
  };
}

function describe({ setting }: Shape): string {
  return setting.planned === true
    ? `${setting.description} (Not in force in this version.)`
    : setting.description;
}
