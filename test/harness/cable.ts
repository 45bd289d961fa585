/** A cable between one process and one server of something: it can be cut, be slow, lose answers, and deliver questions late. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

interface Connection {
  readonly near: Socket;
  readonly far: Socket;
  /** Questions that were sent while they were held. */
  readonly held: Buffer[];
  /** Held questions of it are delivered by `deliver`, also when whoever asked has gone. */
  isHeld: boolean;
}

export class Cable {
  readonly port: number;
  readonly #server: Server;
  readonly #connections: Set<Connection> = new Set();
  #isCut = false;
  #lost: RegExp | null = null;
  #isMute = false;
  #held: RegExp | null = null;
  #delayMs = 0;

  private constructor(server: Server, farPort: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (near: Socket) => this.#join(near, farPort));
  }

  static async to(port: number): Promise<Cable> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Cable(server, port);
  }

  /** Nothing gets through any more, and nobody is told, as with a pulled cable. */
  cut(): void {
    this.#isCut = true;
  }

  /** What was cut off is gone; new connections get through. */
  mend(): void {
    this.#isCut = this.#isMute = false;
    this.#lost = null;
    for (const connection of this.#connections) if (!connection.isHeld) this.#end(connection);
  }

  /** From such a question on nothing comes back. */
  loseAnswersTo(question: RegExp): void {
    this.#lost = question;
  }

  /** Such a question, and what follows on its connection, arrives only with `deliver`. */
  holdQuestions(question: RegExp): void {
    this.#held = question;
  }

  /** What is asked from now on is not held. */
  passQuestions(): void {
    this.#held = null;
  }

  /** Held questions arrive now. @returns how many bytes. */
  deliver(): number {
    let bytes = 0;
    for (const { held, far } of this.#connections) {
      for (const part of held.splice(0)) {
        bytes += part.length;
        far.write(part);
      }
    }
    return bytes;
  }

  /** Each way. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  close(): void {
    this.#server.close();
    for (const connection of this.#connections) this.#end(connection);
  }

  #join(near: Socket, farPort: number): void {
    const far = connect(farPort, "127.0.0.1");
    const connection: Connection = { near, far, held: [], isHeld: false };
    this.#connections.add(connection);
    const later = (action: () => void): void => {
      if (this.#delayMs === 0) action();
      else setTimeout(action, this.#delayMs);
    };
    near.on("data", (part: Buffer) => {
      const text = part.toString("latin1");
      connection.isHeld ||= this.#held?.test(text) ?? false;
      this.#isMute ||= this.#lost?.test(text) ?? false;
      if (connection.isHeld) connection.held.push(part);
      else if (!this.#isCut) later(() => far.write(part));
    });
    far.on("data", (part: Buffer) => {
      if (!this.#isCut && !this.#isMute) later(() => near.write(part));
    });
    near.on("close", () => {
      if (!connection.isHeld && !this.#isCut) later(() => this.#end(connection));
    });
    far.on("close", () => {
      if (!this.#isCut) later(() => this.#end(connection));
    });
    near.on("error", () => {});
    far.on("error", () => {});
  }

  #end(connection: Connection): void {
    this.#connections.delete(connection);
    connection.near.destroy();
    connection.far.destroy();
  }
}
