/** The command line: which words mean what. Each command is a file of its own; this one only reads the words. */
import { existsSync, readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "../config/quantities.ts";
import { exampleNames } from "../demo/example-names.ts";
import { codeOf, messageOf } from "../support/errors.ts";
import { type Cli, describeSessions } from "./sessions/describe.ts";
import { complain, outputTrouble, watchOutput } from "./terminal.ts";

/** Wrong words on the command line. */
const usageExitCode = 2;
const defaultFile = "flotilla.yaml";
const howToBegin =
  "Name the file of your cluster with -c FILE. There is none yet? `flotilla demo` shows one at work, and README.md how to begin.";

/**
 * @param words what stands after `flotilla`.
 * @returns the exit code: 0 done, 1 failed, 2 not understood.
 */
export async function main(words: readonly string[]): Promise<number> {
  watchOutput();
  const exitCode = await run(words);
  const trouble = await outputTrouble();
  if (trouble === "") return exitCode;
  complain(`flotilla: the output could not be written: ${trouble}`);
  return exitCode === 0 ? 1 : exitCode;
}

async function run(words: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = describeCommands((code) => {
    exitCode = code;
  });
  // As if it were not set: that is what a script with an unset variable means.
  if (process.env.FLOTILLA_CONFIG === "") delete process.env.FLOTILLA_CONFIG;
  try {
    await program.parseAsync(withCheckFlag(words), { from: "user" });
    const isDefaultFile = program.getOptionValueSource("config") === "default";
    // The demo has a file of its own, and an agent has none.
    const needsFile = program.args[0] !== "demo" && program.args[0] !== "agent";
    if (exitCode !== 0 && needsFile && isDefaultFile && !existsSync(defaultFile)) complain(howToBegin);
    return exitCode;
  } catch (error) {
    // Commander has printed it already: help, the version, or what it did not understand.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageExitCode;
    const code = codeOf(error);
    complain(`flotilla: ${messageOf(error)}${code === "" ? "" : ` [${code}]`}`);
    return 1;
  }
}

/** An empty one is a script's unset variable, most of the time. */
function fileName(text: string): string {
  if (text === "") throw new InvalidArgumentError("The name of the file is empty.");
  return text;
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === null || ms === 0) throw new InvalidArgumentError("It is a duration, such as 30s or 5m.");
  return ms;
}

function collected(text: string, before: string[]): string[] {
  return [...before, text];
}

/** `flotilla -t` is `flotilla check`, as nginx users type it. */
function withCheckFlag(words: readonly string[]): readonly string[] {
  const at = words.indexOf("-t");
  const isFirst = at === 0 || (at === 2 && words[0]!.startsWith("-"));
  return isFirst ? ["check", ...words.toSpliced(at, 1)] : words;
}

function describeCommands(done: (exitCode: number) => void): Command {
  const program = new Command("flotilla")
    .description(
      "Turns a handful of Linux machines into one website. One file describes the cluster: flotilla.yaml.",
    )
    .version(readVersion(), "-v, --version", "print the version")
    .helpOption("-h, --help", "print this")
    .helpCommand("help [command]", "explain a command")
    .addOption(
      new Option("-c, --config <file>", "the file of the cluster")
        .env("FLOTILLA_CONFIG")
        .default(defaultFile, `./${defaultFile}`)
        .argParser(fileName),
    )
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .showHelpAfterError("(flotilla --help explains the commands)")
    .addHelpText("after", firstSteps);
  const config = (): string => program.opts<{ config: string }>().config;
  const cli = { program, config, done };
  describeFile(cli);
  describeRunning(cli);
  describeChanges(cli);
  describeOperations(cli);
  describeSessions(cli);
  describeCoordination(cli);
  describeRest(cli);
  return program;
}

function describeFile({ program, config, done }: Cli): void {
  program
    .command("check")
    .description("check the file and tell everything that is wrong with it (also: flotilla -t)")
    .option("--json", "print one JSON object")
    .action(async (options: { json?: true }) => {
      const { check } = await import("./check.ts");
      done(check(config(), options.json === true));
    });

  program
    .command("explain")
    .argument("<url>", "http://host/path")
    .description("tell which route takes a URL, and what happens to it; asks no server")
    .option("--method <method>", "its method", "GET")
    .option(
      "--header <field>",
      'a field of its header, "name: value"; may stand more than once',
      collected,
      [],
    )
    .option("--from <address>", "the client's address", "127.0.0.1")
    .option("--json", "print one JSON object")
    .action(async (url: string, options: { method: string; header: string[]; from: string; json?: true }) => {
      const { explain } = await import("./explain.ts");
      done(explain(config(), url, { ...options, json: options.json === true }));
    });
}

function describeRunning({ program, config, done }: Cli): void {
  program
    .command("start")
    .argument("[names...]", "servers of the file, e.g. web-a app-a")
    .description("run servers of this machine, in the foreground, until INT or TERM")
    .option("--all", "every server of the file on this machine")
    .addOption(new Option("--supervised").hideHelp())
    .addHelpText("after", startNotes)
    .action(async (names: string[], options: { all?: true; supervised?: true }, command: Command) => {
      if ((options.all === true) === names.length > 0)
        command.error(
          "error: name the servers to start, or say --all for every server of the file on this machine",
        );
      const { start } = await import("./start.ts");
      done(
        await start(config(), names, { all: options.all === true, supervised: options.supervised === true }),
      );
    });

  program
    .command("status")
    .description("ask every server of the file how it is; each has 1 second to answer, whatever is frozen")
    .option("--json", "print one JSON object")
    .action(async (options: { json?: true }) => {
      const { status } = await import("./status.ts");
      done(await status(config(), options.json === true));
    });

  program
    .command("stop")
    .argument("[names...]", "servers of the file; without: all that run on this machine")
    .description("stop servers of this machine and return when they are gone")
    .option("--force", "also when sessions can neither be handed over nor written to disk, and are lost")
    .option("--json", "print one JSON object")
    .action(async (names: string[], options: { json?: true; force?: true }) => {
      const { stop } = await import("./stop.ts");
      done(await stop(config(), names, { json: options.json === true, force: options.force === true }));
    });
}

function describeChanges({ program, config, done }: Cli): void {
  program
    .command("reload")
    .description("put the changed file in force on this machine, without a dropped connection")
    .option("--json", "print one JSON object")
    .action(async (options: { json?: true }) => {
      const { reload } = await import("./reload.ts");
      done(await reload(config(), options.json === true));
    });

  program
    .command("upgrade")
    .argument("[names...]", "web servers of the file; without: all that run on this machine")
    .description(
      "replace the program of running web servers by the one on the disk, without a dropped request",
    )
    .option("--json", "print one JSON object")
    .action(async (names: string[], options: { json?: true }) => {
      const { upgrade } = await import("./upgrade.ts");
      done(await upgrade(config(), names, options.json === true));
    });

  program
    .command("worker", { hidden: true })
    .argument("<name>")
    .action(async (name: string) => {
      const { runWebWorker } = await import("./run-web-worker.ts");
      done(await runWebWorker(config(), name));
    });
}

/** What operators do to app servers while all runs. */
function describeOperations({ program, config, done }: Cli): void {
  const meanings = {
    drain:
      "give app servers no new visitors; those whose sessions they keep stay, and sessions go to other servers",
    maint: "send app servers no requests at all; their visitors go to other servers",
    ready: "put app servers back in service",
  } as const;
  for (const order of ["drain", "maint", "ready"] as const) {
    const command = program
      .command(order)
      .argument("<servers...>", "app servers of the file, on any machine")
      .description(meanings[order])
      .option("--json", "print one JSON object");
    if (order !== "ready")
      command
        .option("--wait", "return when their last request is over, and their sessions are elsewhere")
        .option("--timeout <duration>", "with --wait: for so long at most, e.g. 30s", duration);
    command
      .addHelpText("after", orderNotes)
      .action(async (names: string[], { json, wait, timeout }: OperateWords, given: Command) => {
        if (timeout !== undefined && wait !== true) given.error("error: --timeout goes with --wait");
        const operate = await import("./operate.ts");
        const options = { json: json === true, wait: wait === true, timeoutMs: timeout ?? null };
        done(await operate.order(config(), names, order, options));
      });
  }

  program
    .command("weight")
    .argument("<server>", "an app server of the file; one with `processes:` means all of them")
    .argument("[weight]", "0 to 1000, or a share of the file's: 50%; without: tell it")
    .description("change an app server's share of requests; 100% is that of the file again")
    .option("--json", "print one JSON object")
    .addHelpText("after", orderNotes)
    .action(async (name: string, text: string | undefined, { json }: { json?: true }) => {
      const operate = await import("./operate.ts");
      done(await operate.weight(config(), [name], text ?? null, { json: json === true }));
    });

  program
    .command("restart")
    .argument("<names...>", "clusters or servers of the file, on any machine")
    .description(
      "restart servers one by one without losing a request or a session; stop at the first that does not come back",
    )
    .option("--timeout <duration>", "how long to wait for each; default 60s", duration)
    .option("--json", "print one JSON object")
    .addHelpText("after", restartNotes)
    .action(async (names: string[], { json, timeout }: OperateWords) => {
      const { restart } = await import("./restart.ts");
      done(await restart(config(), names, { json: json === true, timeoutMs: timeout ?? null }));
    });
}

/** Who keeps the register of sessions. */
function describeCoordination({ program, config, done }: Cli): void {
  program
    .command("coordination")
    .description("the engine that keeps the register of sessions (docs/register.md)")
    .command("move")
    .description("move the register from the app servers to the engine of the file, while all runs")
    .option("--json", "print one JSON object")
    .action(async (options: { json?: true }) => {
      const { moveRegister } = await import("./coordination.ts");
      done(await moveRegister(config(), options.json === true));
    });
}

interface OperateWords {
  readonly json?: true;
  readonly wait?: true;
  readonly timeout?: number;
}

function describeRest({ program, done }: Cli): void {
  program
    .command("demo")
    .description("run a small shop on a cluster of this machine, to see how it works")
    .option(
      "--drill",
      "put load on it, kill each app server in turn, compare every cart, and show what visitors noticed",
    )
    .option("--quick", "with --drill: kill one app server only, before fewer visitors")
    .addOption(new Option("--app <framework>", "an example instead of the shop").choices(exampleNames))
    .option("--json <file>", "with --drill: write its figures to a file", fileName)
    .action(async (options: { drill?: true; quick?: true; app?: string; json?: string }) => {
      const { runDemo } = await import("../demo/run-demo.ts");
      const { drill = false, quick = false } = options;
      done(await runDemo({ ...options, drill, quick }));
    });

  program
    .command("agent")
    .description("tell dispatchers, ours or HAProxy, how busy this machine is; needs no file")
    .addOption(
      new Option("--listen <[address:]port>", "where they ask; may stand more than once")
        .default([], "port 6801 of all addresses")
        .argParser(collected),
    )
    .addOption(
      new Option("--allow <network>", "who may ask; may stand more than once")
        .default([], "this machine, and private networks")
        .argParser(collected),
    )
    .option("--state <file>", "a file of one word: drain, maint, down, fail, stopped; none: ready", fileName)
    .option("--drain <time>", "when it is told to stop, say drain for so long first, e.g. 10s", "0s")
    .addHelpText("after", agentNotes)
    .action(async (options: { listen: string[]; allow: string[]; state?: string; drain: string }) => {
      const { agent } = await import("./agent.ts");
      done(await agent(options));
    });

  program
    .command("secret")
    .description("make a new cluster key")
    .option(
      "--write <file>",
      "write it to a new file that only you may read, instead of printing it",
      fileName,
    )
    .action(async (options: { write?: string }) => {
      const { secret } = await import("./secret.ts");
      done(secret(options));
    });
}

const firstSteps = `
First steps:
  flotilla demo                       see it work, nothing to write
  flotilla secret --write secret      make a key for your cluster
  flotilla check                      is ./flotilla.yaml right?
  flotilla explain http://host/path   which route takes it?
  flotilla start --all                run every server of the file on this machine
  flotilla status                     (in another terminal) how are they?
  flotilla stop                       end them all

Exit codes: 0 done, 1 failed (check: the file is wrong), 2 the command line was not understood.
Environment: FLOTILLA_CONFIG names the file, FLOTILLA_LOG_LEVEL=debug tells more, NO_COLOR tells it plainly.
`;

const startNotes = `
Examples:
  flotilla start web-a                one web server, in this process
  flotilla start app-a app-b          app servers: their \`run:\` is started and kept running
  flotilla start --all                everything of the file on this machine, each as a process of its own

TERM or INT lets open requests end first, for at most the drain time of the file; a second one cuts them, and sessions
are kept all the same; a third INT ends at once, and sessions that nobody else has are lost.
Logs are readable lines on a terminal and one JSON object per line when piped.
`;

const orderNotes = `
It returns when the order is in force in all workers of all web servers in front, which keep it over reloads, upgrades and
restarts. A web server that does not run learns it from the others when it is back. flotilla status shows it.
`;

const agentNotes = `
For machines without an app server of ours. In HAProxy, where \`weight 100\` matters (of the default, 1, there is no half):

  server php-a 192.168.0.30:80 check weight 100 agent-check agent-port 6801 agent-inter 1s

In flotilla.yaml:

  servers:
    php-a: { http: 192.168.0.30:80, agent: 192.168.0.30:6801 }
`;

const restartNotes = `
App servers: each is drained, its sessions go to the others, it is started again by whoever runs it (\`run:\`), and the next one
is not touched before it takes requests again. Web servers: as flotilla upgrade. ^C stops after the one in hand.
`;

function readVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

// Run on the sources, as the tests do; bin/flotilla imports the built file and calls main itself.
if (import.meta.main) process.exit(await main(process.argv.slice(2)));
