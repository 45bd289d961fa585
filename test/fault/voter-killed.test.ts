/** kill -9 while voting: no vote that was answered is ever lost, and the next process can vote at once. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { compareBallots, noBallot } from "../../src/register/members/state.ts";
import { decodeVote } from "../../src/register/members/vote-codec.ts";
import { VoterFile } from "../../src/register/members/voter-file.ts";
import { seededRandom } from "../../src/support/clock.ts";

const program = join(import.meta.dirname, "..", "harness", "voting-process.ts");

test("processes are killed while they vote on one file, and it remembers all that they answered", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-killed-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const random = seededRandom(11);
  const path = new VoterFile(folder, "app", "test").path;
  const markers = new Set<string>();
  let promised = noBallot;
  let accepted = noBallot;
  let counter = 1;
  for (let life = 0; life < 8; life++) {
    // Two at a time: while one is killed the other votes on.
    const lives = ["x", "y"].map((node) =>
      voteUntilKilled(folder, counter, node, 1 + Math.floor(random() * 40)),
    );
    for (const line of (await Promise.all(lives)).flat()) {
      const [kind, marker, answered, node] = line.split(" ") as [string, string, string, string];
      assert.match(kind, /^(prepare|accept)$/, line);
      markers.add(marker);
      const ballot = { counter: Number(answered), node };
      if (compareBallots(ballot, promised) > 0) promised = ballot;
      if (kind === "accept" && compareBallots(ballot, accepted) > 0) accepted = ballot;
      counter = Math.max(counter, ballot.counter + 1);
    }
    const vote = decodeVote(readFileSync(path));
    assert.ok(vote, "the file is damaged");
    assert.ok(compareBallots(vote.promised, promised) >= 0, "an answered promise is lost");
    assert.ok(compareBallots(vote.accepted?.ballot ?? noBallot, accepted) >= 0, "an accepted state is lost");
  }
  assert.equal(markers.size, 1);
  assert.ok(counter > 50);
});

/** @returns its whole lines; it is killed in the middle of what follows the given number of them. */
async function voteUntilKilled(
  folder: string,
  first: number,
  node: string,
  lines: number,
): Promise<string[]> {
  const child = spawn(process.execPath, [program, folder, String(first), node], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("latin1").on("data", (text: string) => {
    output += text;
    if (output.split("\n").length > lines) child.kill("SIGKILL");
  });
  await once(child, "close");
  return output.split("\n").slice(0, -1);
}
