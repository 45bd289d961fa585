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
