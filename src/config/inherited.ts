/** A section of settings, and the one at the top of the file that says what it does not (R31). */
import type { Position } from "./problems.ts";
import type { Section } from "./section.ts";

export class Inherited {
  readonly own: Section;
  readonly shared: Section;

  constructor(own: Section, shared: Section) {
    this.own = own;
    this.shared = shared;
  }

  has(key: string): boolean {
    return this.own.has(key) || this.shared.has(key);
  }

  isShared(key: string): boolean {
    return this.shared.has(key) && !this.own.has(key);
  }

  /** The section that says it. */
  of(key: string): Section {
    return this.isShared(key) ? this.shared : this.own;
  }

  section(key: string): Inherited {
    return new Inherited(this.own.section(key), this.shared.section(key));
  }

  text(key: string): string | null {
    return this.of(key).text(key);
  }

  number(key: string): number {
    return this.of(key).number(key);
  }

  atOf(key: string): Position {
    return this.of(key).atOf(key);
  }

  /** For messages. */
  whereOf(key: string): string {
    return this.of(key).where;
  }
}
