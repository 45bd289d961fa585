/** Numbers as a person reads them. */

/** "1 error", "2 errors". */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** "1 s", "0.25 s" */
export function seconds(milliseconds: number): string {
  return `${milliseconds / 1_000} s`;
}

/** A time that has passed, in the largest unit of which there are two or more: "40 s", "3 h", "2 days". */
export function passed(ms: number): string {
  const inSeconds = Math.max(0, Math.floor(ms / 1_000));
  if (inSeconds < 120) return `${inSeconds} s`;
  const minutes = Math.floor(inSeconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

const byteUnits = ["bytes", "KB", "MB", "GB", "TB"] as const;

/** "312 bytes", "1.5 KB", "23 MB" */
export function sizeInWords(bytes: number): string {
  let [amount, unit] = [bytes, 0];
  for (; amount >= 999.5 && unit < byteUnits.length - 1; unit++) amount /= 1_000;
  return `${unit === 0 || amount >= 9.95 ? Math.round(amount) : amount.toFixed(1)} ${byteUnits[unit]}`;
}

/** "1,234,567" */
export function grouped(amount: number): string {
  return amount.toLocaleString("en-US");
}

/** A text from outside as a terminal may get it: what would be a control, or stand for nothing, as JSON writes it. */
export function visible(text: string): string {
  return text.replaceAll(hidden, (char) =>
    char.length === 1 ? escaped(char) : `\\u{${char.codePointAt(0)!.toString(16)}}`,
  );
}

/** As JSON that says the same, and that a terminal may get too: by itself it escapes nothing from U+007F on. */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(hidden, (char) => char.split("").map(escaped).join(""));
}

const hidden = /[\p{C}\u2028\u2029]/gu;

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
