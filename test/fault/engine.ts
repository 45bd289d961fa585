/** An engine of the register outside of the servers, as the faults strike it. */
/** The engine's machine. */
export const engineMachine = "engine";

export interface Engine {
  /** Of the file: the value of `coordination:`. */
  readonly setting: string;
  /** Ends when it serves. Also after `kill`. */
  start(): Promise<void>;
  /** kill -9 of all of it. */
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}
