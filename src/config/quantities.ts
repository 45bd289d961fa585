/** Durations ("5s"), sizes ("256MB") and rates ("10/s") as the file writes them. */

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** MB is a million bytes and MiB 1,048,576, as the SI and IEC 80000-13 define them. */
const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1_000,
  KiB: 1_024,
  MB: 1_000_000,
  MiB: 1_048_576,
  GB: 1_000_000_000,
  GiB: 1_073_741_824,
  TB: 1_000_000_000_000,
  TiB: 1_099_511_627_776,
};

export const durationPattern = "^[0-9]{1,15}(\\.[0-9]{1,6})?(ms|s|m|h|d)$";
export const sizePattern = "^[0-9]{1,15}(\\.[0-9]{1,6})?(B|KB|KiB|MB|MiB|GB|GiB|TB|TiB)$";

export const ratePattern = "^[0-9]{1,7}/(s|m|h)$";

/** @returns how many, and in how many milliseconds; null when the text is no rate. */
export function parseRate(text: string): { readonly count: number; readonly perMs: number } | null {
  const [digits = "", unit = ""] = text.split("/");
  if (!new RegExp(ratePattern).test(text) || Number(digits) === 0) return null;
  return { count: Number(digits), perMs: durationUnits[unit]! };
}

/** @returns whole milliseconds, or null when the text is no duration. */
export function parseDuration(text: string): number | null {
  return parse(text, new RegExp(durationPattern), durationUnits);
}

/** @returns whole bytes, or null when the text is no size. */
export function parseSize(text: string): number | null {
  return parse(text, new RegExp(sizePattern), sizeUnits);
}

export function formatDuration(ms: number): string {
  return format(ms, durationUnits);
}

export function formatSize(bytes: number): string {
  return format(bytes, sizeUnits);
}

function parse(text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number | null {
  if (!pattern.test(text)) return null;
  const unit = /[A-Za-z]+$/.exec(text)![0];
  return Math.round(Number(text.slice(0, -unit.length)) * units[unit]!);
}

/** In the largest unit that leaves a whole number. */
function format(amount: number, units: Readonly<Record<string, number>>): string {
  const fitting = Object.entries(units).filter(([, factor]) => amount % factor === 0 && amount >= factor);
  const [unit, factor] = fitting.at(-1) ?? Object.entries(units)[0]!;
  return `${amount / factor}${unit}`;
}
