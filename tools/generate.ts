/** `npm run generate`: writes what is made from the table of settings. A test says when that was forgotten. */
import { mkdirSync, writeFileSync } from "node:fs";
import { jsonSchema } from "../src/config/schema.ts";
import { referencePage } from "./reference.ts";

/** Paths in the repository and what they must hold. */
export const generatedFiles: readonly { readonly path: string; readonly content: () => string }[] = [
  { path: "schema/flotilla.schema.json", content: () => `${JSON.stringify(jsonSchema(), null, 2)}\n` },
  { path: "docs/reference.md", content: referencePage },
];

if (import.meta.main) {
  for (const { path, content } of generatedFiles) {
    const url = new URL(`../${path}`, import.meta.url);
    mkdirSync(new URL(".", url), { recursive: true });
    writeFileSync(url, content());
    console.log(`wrote ${path}`);
  }
}
