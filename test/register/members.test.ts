/** `coordination: members` does what every engine has to do: three processes with votes in real files. (Its ways to fail: test/simulation/register.test.ts.) */
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Link } from "../../src/link/api.ts";
import { MembersEngine } from "../../src/register/members/engine.ts";
import { MemoryLink } from "../harness/memory-link.ts";
import { temporaryFolder } from "../harness/process.ts";
import { describeEngine, type EngineUnderTest, letters, type Part } from "./conformance.ts";

const voters = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

/** The processes of "a", "b" and "c" vote, each with its machine's file; a later one of the same machine goes on with it. */
class Machines implements EngineUnderTest<Part> {
  readonly #t: TestContext;
  readonly #folder: string;
  readonly #running: Map<
    string,
    { readonly engine: MembersEngine; readonly link: MemoryLink; isCut: boolean }
  > = new Map();

  constructor(t: TestContext) {
    this.#t = t;
    this.#folder = temporaryFolder(t);
  }

  async open(node: string): Promise<Part> {
    const voter = voters["abc".indexOf(node[0]!)]!;
    const problems: string[] = [];
    const mended: string[] = [];
    const engine = new MembersEngine({
      ...{ cluster: "app", node: `${node}#1`, voter, fileVoters: voters, letters },
      dataFolder: join(this.#folder, voter),
      linksTo: (other) => this.#linksBetween(voter, other),
      onProblem: (message) => problems.push(message),
      onMended: (message) => mended.push(message),
    });
    this.#t.after(() => engine.stop());
    const running = { engine, link: new MemoryLink(engine.service), isCut: false };
    this.#running.set(voter, running);
    return {
      ...{ engine, problems, mended },
      cut: () => {
        running.isCut = true;
      },
      mend: () => {
        running.isCut = false;
      },
    };
  }

  async restart(): Promise<void> {
    for (const { engine } of this.#running.values()) engine.stop();
    this.#running.clear();
  }

  #linksBetween(one: string, other: string): Link[] {
    const [from, to] = [this.#running.get(one), this.#running.get(other)];
    if (from === undefined || to === undefined || from.isCut || to.isCut) return [];
    const open = (_kind: number, ...words: Parameters<MemoryLink["open"]>): ReturnType<MemoryLink["open"]> =>
      to.link.open(...words);
    return [{ usable: true, silent: false, open } as unknown as Link];
  }
}

describeEngine("members", false, async (t) => {
  // Timers of registers do not keep the process alive.
  const keepAlive = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(keepAlive));
  return new Machines(t);
});
