/** `flotilla secret`: a new cluster key. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { codeOf, FlotillaError, messageOf } from "../support/errors.ts";
import { say } from "./terminal.ts";

/**
 * Prints a key of 32 random bytes, or writes it to a file that only its owner may read.
 * @throws FlotillaError FLOTILLA_SECRET_NOT_WRITTEN, when the file exists too: it may hold the key of a running cluster.
 */
export function secret(options: { readonly write?: string }): number {
  const key = randomBytes(32).toString("base64url");
  const path = options.write;
  if (path === undefined) {
    say(key);
    return 0;
  }
  try {
    writeFileSync(path, `${key}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    const reason =
      codeOf(error) === "EEXIST"
        ? "it exists, and may hold the key of a running cluster; choose another name or remove it first"
        : messageOf(error);
    throw new FlotillaError("FLOTILLA_SECRET_NOT_WRITTEN", `${path} was not written: ${reason}`, {
      cause: error,
    });
  }
  say(`A new key is in ${path}, readable by you alone. In the file of the cluster write:`);
  say(`  secret: \${file:${path}}`);
  return 0;
}
