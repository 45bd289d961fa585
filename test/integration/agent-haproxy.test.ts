/** The real HAProxy asks our agent: weight and state of its server follow what the agent says. */
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { findProgram } from "../../bench/commands.ts";
import { LoadAgent } from "../../src/load/agent.ts";
import { StateFile } from "../../src/load/agent-state.ts";
import { silentLog } from "../../src/support/log.ts";
import { freePorts } from "../harness/free-ports.ts";
import { procFolder, twoCpus } from "../harness/proc-folder.ts";
import { start, temporaryFolder, until } from "../harness/process.ts";

const haproxy = findProgram("haproxy");

interface ServerRow {
  readonly weight: string;
  /** "UP", "DRAIN (agent)", "DOWN (agent)", "MAINT", ... */
  readonly status: string;
  /** What its page says of the agent's last answer. */
  readonly agent: string;
}

test("HAProxy takes over weight, drain, maint and down, and takes each back", {
  skip: haproxy === null ? "haproxy is not installed" : false,
}, async (t) => {
  const proc = procFolder(t, { stat: twoCpus });
  proc.runQueue(0);
  const state = new StateFile(join(proc.path, "state"), silentLog);
  const agent = new LoadAgent({
    ...{ allows: () => true, log: silentLog, procFolder: proc.path },
    state: () => state.read(),
  });
  t.after(() => agent.close());
  const agentPort = await agent.listen("127.0.0.1", 0);
  const origin = createServer((_req, res) => res.end("php")).listen(0, "127.0.0.1");
  await once(origin, "listening");
  t.after(() => origin.close());
  const { port: originPort } = origin.address() as AddressInfo;
  const [port] = (await freePorts(1)) as [number];
  const folder = temporaryFolder(t, {
    "haproxy.cfg": `global
  stats socket unix@stats level admin
defaults
  mode http
  timeout connect 1s
  timeout client 10s
  timeout server 10s
frontend site
  bind 127.0.0.1:${port}
  default_backend app
backend app
  default-server agent-check agent-port ${agentPort} agent-inter 50ms
  server full 127.0.0.1:${originPort} check inter 100ms weight 100
  server bare 127.0.0.1:${originPort}
`,
  });
  start(t, haproxy!, ["-db", "-f", "haproxy.cfg"], { cwd: folder });
  const socket = join(folder, "stats");
  const row = async (server: string): Promise<ServerRow> => rowOf(await ask(socket, "show stat\n"), server);
  const becomes = (what: string, isSo: (row: ServerRow) => boolean, server = "full"): Promise<unknown> =>
    until(what, () => row(server).then(isSo, () => false));

  await becomes("it is at its full weight", ({ weight, status }) => weight === "100" && status === "UP");
  proc.runQueue(7);
  await becomes("a busy machine has a quarter", ({ weight }) => weight === "25");
  // Why docs/load.md says that a weight of 1, the default, is none to take a share of.
  await becomes("of a weight of 1 nothing is left", ({ weight }) => weight === "0", "bare");
  proc.runQueue(0);
  await becomes("an idle one has all again", ({ weight }) => weight === "100");

  proc.write("state", "drain\n");
  await becomes("it drains", ({ status }) => status.startsWith("DRAIN"));
  rmSync(join(proc.path, "state"));
  await becomes("it is ready", ({ status }) => status === "UP");
  proc.write("state", "maint\n");
  await becomes("it is in maintenance", ({ status }) => status.startsWith("MAINT"));
  proc.write("state", "ready\n");
  await becomes("it is back", ({ status }) => status === "UP");
  proc.write("state", "stopped # for the night\n");
  await becomes(
    "it is down",
    ({ status, agent: said }) => status === "DOWN (agent)" && /for the night/.test(said),
  );
  proc.write("state", "down # disk swapped\n");
  await becomes("the reason is told", ({ agent: said }) => /disk swapped/.test(said));
  proc.write("state", "up\n");
  await becomes("it is up", ({ status }) => status === "UP");
});

function ask(socketPath: string, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let text = "";
    socket.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    socket.once("error", reject).once("end", () => resolve(text));
    socket.write(question);
  });
}

/** Of `show stat`: lines of comma-separated values, the first with their names. */
function rowOf(text: string, server: string): ServerRow {
  const [head = "", ...lines] = text.replace(/^# /, "").split("\n");
  const line = lines.find((row) => row.startsWith(`app,${server},`));
  if (line === undefined) throw new Error(`no server ${server} in ${text}`);
  const values = line.split(",");
  const value = (name: string): string => values[head.split(",").indexOf(name)] ?? "";
  return { weight: value("weight"), status: value("status"), agent: value("last_agt") };
}
