/** A register's operations as promises. */
import type { CasOutcome, Register, Versioned } from "../../src/register/register.ts";
import type { FlotillaError } from "../../src/support/errors.ts";

export function read<V>(register: Register<V>): Promise<Versioned<V> | FlotillaError | null> {
  return new Promise((resolve) => register.read((error, state) => resolve(error ?? state)));
}

export function change<V>(register: Register<V>, expected: number, value: V): Promise<CasOutcome<V>> {
  return new Promise((resolve) => register.compareAndSet(expected, value, resolve));
}
