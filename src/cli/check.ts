/** `flotilla check`: everything that is wrong with the file, at once. Starts nothing, asks nobody. */
import { loadClusterFile } from "../config/load.ts";
import type { ClusterFile } from "../config/model.ts";
import { formatProblem, type Problem } from "../config/problems.ts";
import { count } from "../support/words.ts";
import { coloured, enumerate, say, sayJson } from "./terminal.ts";

/** @returns the exit code: 0 when the cluster can be started with this file. */
export function check(path: string, asJson: boolean): number {
  const { file, problems } = loadClusterFile(path);
  if (asJson) {
    sayJson({ file: path, valid: file !== null, problems: problems.map(jsonProblem) });
  } else {
    for (const problem of problems) say(formatProblem(problem));
    const sums = severitySums(problems);
    if (file === null) say(coloured(`${path}: ${sums}`, "red"));
    else say(coloured(`${path} is valid${sums === "" ? "" : `, ${sums}`}: ${contents(file)}`, "green"));
  }
  return file === null ? 1 : 0;
}

function jsonProblem({ severity, line, column, message }: Problem): object {
  return { severity, line, column, message };
}

/** "2 errors, 1 warning", or "". */
function severitySums(problems: readonly Problem[]): string {
  return (["error", "warning"] as const)
    .map(
      (severity) => [problems.filter((problem) => problem.severity === severity).length, severity] as const,
    )
    .filter(([amount]) => amount > 0)
    .map(([amount, severity]) => count(amount, severity))
    .join(", ");
}

/** "1 web server, 3 app servers and 1 plain HTTP server". */
function contents(file: ClusterFile): string {
  const amounts = { "web server": 0, "app server": 0, "vote-only server": 0, "plain HTTP server": 0 };
  for (const server of file.servers.values()) {
    if (server.kind === "http") amounts["plain HTTP server"]++;
    else if (server.kind === "witness") amounts["vote-only server"]++;
    else if (file.clusters.get(server.cluster)!.tier === "web") amounts["web server"]++;
    else amounts["app server"]++;
  }
  const present = Object.entries(amounts).filter(([, amount]) => amount > 0);
  return enumerate(present.map(([noun, amount]) => count(amount, noun)));
}
