/**
 * Regular expressions of the file. They run on what strangers send, so they take linear time whatever they are and
 * whatever comes (A48): RE2's engine and grammar, in JavaScript. It is loaded only where a file has one.
 */
import { createRequire } from "node:module";
import type { RE2JS } from "re2js";

const require = createRequire(import.meta.url);

/** @throws Error when it is none. */
export function compileRegex(text: string): RE2JS {
  const library = require("re2js") as typeof import("re2js");
  return library.RE2JS.compile(text);
}

/** Why it is none, or null. */
export function regexTrouble(text: string): string | null {
  if (text.length > 1_024) return "it is longer than 1024 characters";
  try {
    compileRegex(text);
    return null;
  } catch (error) {
    return (error as Error).message.replace(/^error parsing regexp: /, "");
  }
}
