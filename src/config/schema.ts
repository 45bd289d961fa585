/** The table of settings as a JSON Schema (draft-07, which editors' YAML support knows), for completion and hints. */
import { nameSource, scalars } from "./scalars.ts";
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
      return { ...described, ...sectionSchema(shape) };
    case "named":
      return {
        ...described,
        type: "object",
        propertyNames: { pattern: `^${nameSource}$` },
        additionalProperties: schemaOf(shape.each!),
        minProperties: setting.minimum ?? 0,
        maxProperties: setting.maximum,
      };
    case "list":
      return {
        ...described,
        type: "array",
        items: schemaOf(shape.each!),
        minItems: setting.minimum ?? 0,
        maxItems: setting.maximum,
      };
    default:
      return { ...described, anyOf: [scalars[setting.type].schema(setting), substituted] };
  }
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
