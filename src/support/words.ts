/** Numbers as a person reads them. */

/** "1 error", "2 errors". */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
