/**
 * A process that votes on a real file until it is killed: it promises and accepts rising ballots and prints each one
 * that was answered. Arguments: data folder, first counter, its name in ballots.
 */
import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { Acceptor } from "../../src/register/members/acceptor.ts";
import type { VoterRequest } from "../../src/register/members/messages.ts";
import { noBallot } from "../../src/register/members/state.ts";
import { VoterFile } from "../../src/register/members/voter-file.ts";

const [folder, first, node] = process.argv.slice(2) as [string, string, string];
const acceptor = new Acceptor({
  name: "test",
  storage: new VoterFile(folder, "app", "test"),
  newMarker: () => randomBytes(9).toString("base64url"),
  onDamage: (error) => writeSync(1, `DAMAGED ${error.message}\n`),
});

function vote(counter: number, marker: string): void {
  const ballot = { counter, node };
  const accepts: VoterRequest = {
    kind: "accept",
    ballot,
    marker,
    state: {
      world: "w",
      version: counter,
      recent: [`${node}.${counter}`],
      voters: { current: [{ name: "test", marker }], next: null },
      value: randomBytes(20_000),
    },
  };
  const request: VoterRequest = counter % 2 === 0 ? accepts : { kind: "prepare", ballot, have: noBallot };
  acceptor.handle(request, (error, answer) => {
    if (answer?.ok) writeSync(1, `${request.kind} ${answer.marker} ${counter} ${node}\n`);
    if (error !== null) writeSync(1, `FAILED ${error.message}\n`);
    // Another process may have answered a higher ballot meanwhile.
    const next = Math.max(counter, answer?.promised.counter ?? 0) + 1;
    // The lock is not fair: whoever asks again at once would keep the other process out.
    setTimeout(() => vote(next, marker), 4);
  });
}

acceptor.handle({ kind: "query", have: noBallot }, (error, answer) => {
  if (error !== null) throw error;
  vote(Number(first), answer!.marker);
});
