/** How commands speak: plain text, colours only on a terminal whose user wants them (NO_COLOR), JSON when asked. */

import { coloursWanted } from "../support/colours.ts";
import { codeOf } from "../support/errors.ts";
import { visibleJson } from "../support/words.ts";

export type Colour = "red" | "green" | "yellow" | "dim" | "bold";

const codes: Readonly<Record<Colour, readonly [number, number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  dim: [2, 22],
  bold: [1, 22],
};

/** @returns the text for standard output. */
export function coloured(text: string, colour: Colour): string {
  if (!process.stdout.isTTY || !coloursWanted()) return text;
  const [on, off] = codes[colour];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function sayJson(value: unknown): void {
  process.stdout.write(`${visibleJson(value)}\n`);
}

/** Why what was said did not arrive, or "". A reader who went away (`| head`) is no trouble. */
export function outputTrouble(): Promise<string> {
  return new Promise((resolve) => {
    process.stdout.write("", (error) => {
      const failure = outputFailure ?? error;
      resolve(failure == null || codeOf(failure) === "EPIPE" ? "" : failure.message);
    });
  });
}

let outputFailure: Error | null = null;

/** Call once, before anything is said: without a listener a failed write ends the process with a stack. */
export function watchOutput(): void {
  process.stdout.on("error", (error: Error) => {
    outputFailure ??= error;
  });
}

/** What went wrong, on standard error. */
export function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** "a", "a and b", "a, b and c". */
export function enumerate(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** Columns as wide as their widest cell, two blanks between; numbers to the right. */
export function table(rows: readonly (readonly string[])[], rightAligned: ReadonlySet<number>): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, column) =>
        rightAligned.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join("  ")
      .trimEnd(),
  );
}
