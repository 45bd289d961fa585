/** The words of `flotilla sessions`. */
import { type Command, InvalidArgumentError } from "commander";

export interface Cli {
  readonly program: Command;
  /** Path of the file of the cluster. */
  readonly config: () => string;
  readonly done: (exitCode: number) => void;
}

export function describeSessions({ program, config, done }: Cli): void {
  const sessions = program
    .command("sessions")
    .description(
      "look at the sessions that app servers keep, end them, write them to a file, read them from one",
    )
    .addHelpText("after", notes);
  const cli = { program: sessions, config, done };
  describeLooks(cli);
  describeEnd(cli);
  describeCheckpoints(cli);
}

function describeLooks({ program, config, done }: Cli): void {
  program
    .command("count")
    .argument("[cluster]", "of the file; without: all")
    .description("tell how many sessions each server keeps, and how large they are")
    .option("--json", "print one JSON object")
    .action(async (cluster: string | undefined, { json }: { json?: true }) => {
      const { count } = await import("./count.ts");
      done(await count(config(), cluster ?? null, json === true));
    });

  program
    .command("show")
    .argument("[id]", "as the cookie has it, URL-encoded or not; -: from standard input")
    .description("tell where a session is kept, how large it is and when it ends")
    .option("--key <key>", "instead of its id: its key, as checkpoints have it")
    .option("--values", "also what is in it")
    .option("--cluster <name>", "where there are several")
    .option("--json", "print one JSON object")
    .action(async (id: string | undefined, options: ShowWords, command: Command) => {
      const { key, values, cluster, json } = options;
      if ((id === undefined) === (key === undefined))
        command.error("error: name one session, by its id or with --key");
      const { show } = await import("./show.ts");
      done(
        await show(config(), {
          ...{ id: id === "-" ? ((await linesOfInput())[0] ?? "") : (id ?? null), key: key ?? null },
          ...{ cluster: cluster ?? null, values: values === true, json: json === true },
        }),
      );
    });
}

function describeEnd({ program, config, done }: Cli): void {
  program
    .command("end")
    .argument("[ids...]", "as cookies have them; -: from standard input, one a line")
    .description("end sessions for good, on all servers: their visitors are logged out")
    .option("--key <key>", "by its key, as checkpoints have it; may stand more than once", collected, [])
    .option("--all", "all of the cluster")
    .option(
      "--where <key=value>",
      "those that have this value, e.g. user=42, user=ann, 'passport={\"user\":42}'",
    )
    .option("--dry-run", "only tell how many there are")
    .option("--yes", "do not ask")
    .option("--cluster <name>", "where there are several")
    .option("--json", "print one JSON object")
    .action(async (ids: string[], options: EndWords, command: Command) => {
      const { key, all, where, dryRun, yes, cluster, json } = options;
      const ways = [ids.length + key.length > 0, all === true, where !== undefined];
      const said = ways.filter((is) => is).length;
      if (said === 0) command.error("error: name sessions, or say --where KEY=VALUE, or --all");
      if (said > 1)
        command.error(
          "error: sessions that are named, --where and --all do not go together: say one of them",
        );
      const { end } = await import("./end.ts");
      done(
        await end(config(), {
          ...{ ids: ids[0] === "-" ? await linesOfInput() : ids, keys: key, all: all === true },
          ...{ where: where ?? null, cluster: cluster ?? null },
          ...{ dryRun: dryRun === true, yes: yes === true, json: json === true },
        }),
      );
    });
}

function describeCheckpoints({ program, config, done }: Cli): void {
  program
    .command("export")
    .argument("<file>", "written whole or not at all; gzipped where its name ends in .gz; -: standard output")
    .description("write a checkpoint of all sessions while the site runs")
    .option("--cluster <name>", "where there are several")
    .action(async (file: string, { cluster }: { cluster?: string }) => {
      const { exportSessions } = await import("./export.ts");
      done(await exportSessions(config(), file, cluster ?? null));
    });

  program
    .command("import")
    .argument("[file]", "a checkpoint; gzipped where its name ends in .gz; -: standard input")
    .description(
      "put the sessions of a checkpoint, or of another library's store, in place on this site or another one, while it runs",
    )
    .option("--from <url>", "instead of a file: redis://..., rediss://..., postgres://... or mysql://...")
    .option("--prefix <text>", "Redis: what stands before ids in the names of keys (default: sess:)")
    .option("--keep-prefix", "Redis: it is part of the ids, as koa-session has it")
    .option("--table <name>", 'PostgreSQL ("session", "schema.session"), MySQL ("sessions")')
    .option("--resume <file>", "with --from: keep in this file how far it is, and go on from there")
    .option("--replace", "also in the place of those that are there already")
    .option("--dry-run", "only look at what would be taken")
    .option("--rate <sessions>", "so many a second at most", positive)
    .option("--cluster <name>", "where there are several")
    .option("--json", "print one JSON object")
    .action(async (file: string | undefined, words: ImportWords, command: Command) => {
      const { replace, dryRun, rate, cluster, json } = words;
      const options = {
        ...{ replace: replace === true, dryRun: dryRun === true, rate: rate ?? null },
        ...{ cluster: cluster ?? null, json: json === true },
      };
      const { from, prefix, keepPrefix, table, resume } = words;
      if ((file === undefined) === (from === undefined))
        command.error("error: name a file, or a store with --from");
      if (from === undefined) {
        if (prefix !== undefined || keepPrefix || table !== undefined || resume !== undefined)
          command.error("error: --prefix, --keep-prefix, --table and --resume go with --from");
        const { importSessions } = await import("./import.ts");
        done(await importSessions(config(), file!, options));
        return;
      }
      const { importFrom } = await import("./import-from.ts");
      done(
        await importFrom(config(), {
          ...{ ...options, from, resume: resume ?? null },
          ...{ prefix: prefix ?? null, keepsPrefix: keepPrefix === true, table: table ?? null },
        }),
      );
    });
}

interface ShowWords {
  readonly key?: string;
  readonly values?: true;
  readonly cluster?: string;
  readonly json?: true;
}

interface EndWords {
  readonly key: string[];
  readonly all?: true;
  readonly where?: string;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly cluster?: string;
  readonly json?: true;
}

interface ImportWords {
  readonly from?: string;
  readonly prefix?: string;
  readonly keepPrefix?: true;
  readonly table?: string;
  readonly resume?: string;
  readonly replace?: true;
  readonly dryRun?: true;
  readonly rate?: number;
  readonly cluster?: string;
  readonly json?: true;
}

function collected(text: string, before: string[]): string[] {
  return [...before, text];
}

function positive(text: string): number {
  const amount = Number(text);
  if (!Number.isInteger(amount) || amount < 1)
    throw new InvalidArgumentError("It is a whole number from 1 on.");
  return amount;
}

/** An id is a password: on the command line others of the machine see it. */
async function linesOfInput(): Promise<string[]> {
  const { text } = await import("node:stream/consumers");
  return (await text(process.stdin))
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

const notes = `
Examples:
  flotilla sessions count                          how many, how large, on which servers
  flotilla sessions show --values 'abAQkD0v...'    what is in one
  flotilla sessions end --where user=42            log a user out everywhere
  flotilla sessions end --all                      log everybody out
  flotilla sessions export monday.ndjson.gz        a checkpoint, while the site runs
  flotilla sessions import monday.ndjson.gz        back again, or into another site
  flotilla sessions import --from redis://10.0.0.5 take those of connect-redis along (docs/moving-in.md)

They ask the servers over their cluster ports, from any machine that reaches them and has the file with its secret.
`;
