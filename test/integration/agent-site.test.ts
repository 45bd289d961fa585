/** R44: agents of plain servers, asked by a web server's main process, steer its workers: by load, and by what an operator has them say. */
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LoadAgent } from "../../src/load/agent.ts";
import { StateFile } from "../../src/load/agent-state.ts";
import { silentLog } from "../../src/support/log.ts";
import { testSecret } from "../harness/cluster-folder.ts";
import { freePorts } from "../harness/free-ports.ts";
import { PlainServer } from "../harness/plain-server.ts";
import { type ProcFolder, procFolder, twoCpus } from "../harness/proc-folder.ts";
import { startFlotilla, temporaryFolder, until } from "../harness/process.ts";
import { get } from "../harness/worker-site.ts";

interface Machine {
  readonly plain: PlainServer;
  readonly proc: ProcFolder;
  readonly agent: LoadAgent;
  /** Its line in the file. */
  readonly entry: string;
}

/** A plain server, and an agent on its machine, whose /proc the test makes up. */
async function machine(t: TestContext, name: string): Promise<Machine> {
  const plain = await PlainServer.start(t, name);
  const proc = procFolder(t, { stat: twoCpus });
  proc.runQueue(0);
  const state = new StateFile(join(proc.path, "state"), silentLog);
  const agent = new LoadAgent({
    ...{ allows: () => true, log: silentLog, procFolder: proc.path },
    state: () => state.read(),
  });
  t.after(() => agent.close());
  const port = await agent.listen("127.0.0.1", 0);
  const entry = `${name}: { http: "http://127.0.0.1:${plain.port}", agent: "127.0.0.1:${port}" }`;
  return { plain, proc, agent, entry };
}

test("the busy machine gets nothing while the other has nothing to do; drain and maint are followed, and taken back", async (t) => {
  const [a, b] = [await machine(t, "php-a"), await machine(t, "php-b")];
  const [clusterPort, port] = (await freePorts(2)) as [number, number];
  const folder = temporaryFolder(t, {
    "flotilla.yaml": `secret: ${testSecret}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: ${clusterPort} } }
    listen: [{ http: "127.0.0.1:${port}" }]
    workers: 2
    log: { access: off }
    timeouts: { drain: 1s }
    routes: [{ to: app }]
  app:
    balance: least-load
    servers:
      ${a.entry}
      ${b.entry}
`,
  });
  const running = startFlotilla(t, ["start", "web-a"], { cwd: folder });
  await running.line(/up at http/);
  const answerers = async (): Promise<string> => {
    const names = new Set<string>();
    for (let asked = 0; asked < 16; asked++) names.add((await get(port, "/")).body);
    return [...names].sort().join(" ");
  };
  const becomes = (names: string): Promise<unknown> =>
    until(`${names} answer`, async () => (await answerers()) === names);

  await becomes("php-a php-b");
  a.proc.runQueue(15);
  await becomes("php-b");
  b.proc.runQueue(15);
  await becomes("php-a php-b");
  a.proc.runQueue(0);
  b.proc.runQueue(0);
  a.proc.write("state", "drain\n");
  await running.line(/the agent of php-a says drain/);
  await becomes("php-b");
  a.proc.write("state", "ready\n");
  await running.line(/the agent of php-a says ready/);
  b.proc.write("state", "down # no disk\n");
  await running.line(/the agent of php-b says down: no disk/);
  await becomes("php-a");
  b.proc.write("state", "");
  await becomes("php-a php-b");

  // Figures of an agent that is gone grow old.
  a.proc.runQueue(15);
  await becomes("php-b");
  a.agent.close();
  await running.line(
    /the agent of php-a \(127\.0\.0\.1:\d+\): ECONNREFUSED; how busy the server is, is not known/,
  );
  await becomes("php-a php-b");
});
