/** Ids without signatures: what they are is another test's subject. */
import type { VerifiedId } from "../../../src/session/id.ts";
import type { World } from "./world.ts";

export class PlainIds {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  create(owner: string, backup: string, slot: number): string {
    return `${owner}${backup}${slot}.${this.#world.nextNumber()}`;
  }

  verify(text: string): VerifiedId {
    const slot = Number.parseInt(text.slice(2), 10);
    return { text, owner: text[0]!, backup: text[1]!, slot, processIndex: 0, key: text.slice(2) };
  }

  reissue({ key }: VerifiedId, owner: string, backup: string): VerifiedId {
    return this.verify(`${owner}${backup}${key}`);
  }
}
