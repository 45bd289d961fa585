/** Numbers as a person reads them. */

/** "1 error", "2 errors". */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** "1 s", "0.25 s" */
export function seconds(milliseconds: number): string {
  return `${milliseconds / 1_000} s`;
}
