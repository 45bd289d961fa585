/** A program of `run:` that runs, but does not open its cluster port: an operator is told once, with what it does instead. */
import type { Server } from "../config/model.ts";
import { systemClock } from "../support/clock.ts";
import { attach as limits } from "../support/limits.ts";
import { type ListeningPort, portsOfGroup } from "../support/listening-ports.ts";
import type { Log } from "../support/log.ts";
import type { StartProgram } from "./unit.ts";

/** @param ask whether its cluster port answers as one, told to the function that it is given. */
export function tellingWhenUnheard(
  server: Server,
  log: Pick<Log, "warn">,
  start: StartProgram,
  ask: (answer: (answers: boolean) => void) => void,
): StartProgram {
  return (onLine, onEnd) => {
    let hasEnded = false;
    const program = start(onLine, (ending) => {
      hasEnded = true;
      timer.cancel();
      onEnd(ending);
    });
    const timer = systemClock.after(limits.noticeAfterMs, () => {
      ask((answers) => {
        if (!answers && !hasEnded) log.warn(troubleOf(server, portsOfGroup(program.pid)));
      });
    });
    return program;
  };
}

/** @param ports on which its program listens. */
export function troubleOf(server: Server, ports: readonly ListeningPort[]): string {
  const seconds = limits.noticeAfterMs / 1_000;
  const what = `${server.name} has not opened its cluster port ${server.address}:${server.port} within ${seconds} s, and gets no requests until it does`;
  if (ports.length === 0)
    return `${what}: its program listens nowhere (yet); it is attached when it calls listen() of a node:http server`;
  const own = ports.find(({ port }) => port === server.port);
  if (own !== undefined)
    return (
      `${server.name} does not answer as a server of the cluster: its program (${own.program}, process ${own.pid}) listens on ` +
      `${server.address}:${server.port} itself, or is blocked. Attached are Node programs; for anything else write \`attach: false\``
    );
  const found = enumerated(ports);
  return (
    `${what}: its program listens on ${found} instead. Attached are the http and https servers of Node programs; for anything ` +
    "else write `attach: false`, and let it listen on PORT. If it is such a program, NODE_OPTIONS does not reach it: where you " +
    'set that yourself, write NODE_OPTIONS="$NODE_OPTIONS ..."'
  );
}

/** `attach: false`: the program does not take connections on the port that it was told. */
export function portTrouble({ name }: Server, told: number, ports: readonly ListeningPort[]): string {
  const where = ports.length === 0 ? "nowhere (yet)" : `on ${enumerated(ports)} instead`;
  return (
    `${name}: its program has not listened on PORT (${told}) of 127.0.0.1 within ${limits.noticeAfterMs / 1_000} s, and gets no ` +
    `requests until it does; it listens ${where}. With \`attach: false\` it has to listen on the port that PORT in its environment names`
  );
}

function enumerated(ports: readonly ListeningPort[]): string {
  return ports.map(({ port, pid, program }) => `port ${port} (${program}, process ${pid})`).join(", ");
}
