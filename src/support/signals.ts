/** What ends a server in the foreground. */

/**
 * The first TERM, INT or HUP (the terminal is gone) asks to drain; an INT after it ends the process at once, for
 * somebody who does not want to wait.
 * @param atOnce what must not stay behind even then.
 */
export function onStopSignals(drain: (signal: NodeJS.Signals) => void, atOnce: () => void = () => {}): void {
  let asked = false;
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (!asked) {
        asked = true;
        drain(signal);
      } else if (signal === "SIGINT") {
        atOnce();
        process.exit(130);
      }
    });
  }
}
