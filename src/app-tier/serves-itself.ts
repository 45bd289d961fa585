/**
 * Whether this program calls serve(), as one that imports `flotilla/app` does: then the preload lets its servers listen
 * as they ask to. A mark on globalThis, because the preload and the program may have two copies of Flotilla.
 */
const mark = Symbol.for("flotilla.serves-itself");

export function markServesItself(): void {
  (globalThis as Record<symbol, unknown>)[mark] = true;
}

export function servesItself(): boolean {
  return (globalThis as Record<symbol, unknown>)[mark] === true;
}
