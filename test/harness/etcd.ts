/** A real etcd for a test: one server or three, in a folder of its own and on free ports. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { findProgram } from "../../bench/commands.ts";
import { freePorts } from "./free-ports.ts";
import { start, type TestProcess, temporaryFolder, until } from "./process.ts";

export interface EtcdOptions {
  readonly servers?: 1 | 3;
  /** Of its client port; the scheme is https then. */
  readonly tls?: {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    readonly wantsClientCert?: true;
  };
}

/** Why the tests with a real etcd are left out, or false. */
export function withoutEtcd(): string | false {
  return findProgram("etcd") === null ? "etcd is not installed (Debian: etcd-server)" : false;
}

export class Etcd {
  readonly ports: readonly number[];
  readonly endpoints: readonly string[];
  readonly #t: TestContext;
  readonly #folder: string;
  readonly #peerPorts: readonly number[];
  readonly #options: EtcdOptions;
  readonly #running: Map<number, TestProcess> = new Map();
  /** "name:password" of who may do everything, once it knows users. */
  root: string | null = null;

  private constructor(t: TestContext, ports: readonly number[], options: EtcdOptions) {
    const count = options.servers ?? 1;
    this.#t = t;
    this.#options = options;
    this.#folder = temporaryFolder(t);
    this.ports = ports.slice(0, count);
    this.#peerPorts = ports.slice(count);
    const scheme = options.tls === undefined ? "http" : "https";
    this.endpoints = this.ports.map((port) => `${scheme}://127.0.0.1:${port}`);
  }

  static async start(t: TestContext, options: EtcdOptions = {}): Promise<Etcd> {
    const etcd = new Etcd(t, await freePorts(2 * (options.servers ?? 1)), options);
    await Promise.all(etcd.ports.map((_, index) => etcd.startServer(index)));
    return etcd;
  }

  /** Ends when it serves, which it does once a majority is there. */
  async startServer(index: number): Promise<void> {
    const { tls } = this.#options;
    const peer = (at: number): string => `http://127.0.0.1:${this.#peerPorts[at]}`;
    const client = this.endpoints[index]!;
    const folder = join(this.#folder, `etcd-${index}`);
    mkdirSync(folder, { recursive: true });
    const process = start(this.#t, findProgram("etcd")!, [
      ...["--name", `etcd-${index}`, "--data-dir", folder, "--log-level", "warn"],
      // Passwords are looked at quickly.
      ...["--bcrypt-cost", "4"],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer(index), "--initial-advertise-peer-urls", peer(index)],
      ...["--initial-cluster", this.ports.map((_, at) => `etcd-${at}=${peer(at)}`).join()],
      ...(tls === undefined ? [] : ["--cert-file", tls.cert, "--key-file", tls.key]),
      ...(tls?.wantsClientCert ? ["--client-cert-auth", "--trusted-ca-file", tls.ca] : []),
    ]);
    this.#running.set(index, process);
    await until(`etcd-${index} serves\n${process.output}`, () => this.#serves(index));
  }

  async #serves(index: number): Promise<boolean> {
    const { stdout } = await this.ctl(["endpoint", "health"], [this.endpoints[index]!]);
    return stdout.includes("is healthy");
  }

  /** `etcdctl`, to its end. */
  async ctl(
    args: readonly string[],
    endpoints: readonly string[] = this.endpoints,
  ): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const { tls } = this.#options;
    const process = start(
      this.#t,
      findProgram("etcdctl")!,
      [
        ...["--endpoints", endpoints.join(), "--command-timeout", "2s"],
        ...(tls === undefined ? [] : ["--cacert", tls.ca, "--cert", tls.cert, "--key", tls.key]),
        ...(this.root === null ? [] : ["--user", this.root]),
        ...args,
      ],
      { env: { ETCDCTL_API: "3" } },
    );
    // Of 3.4 it tells health on standard error.
    const { code } = await process.exit;
    return { code, stdout: process.output, stderr: process.stderr };
  }

  /** kill -9 */
  async kill(index: number): Promise<void> {
    await this.#running.get(index)!.kill();
  }

  signal(index: number, signal: NodeJS.Signals): void {
    this.#running.get(index)!.signal(signal);
  }
}

/** An authority, and one certificate of it for 127.0.0.1, both for servers and for their clients. */
export function makeCertificates(folder: string): { ca: string; cert: string; key: string } {
  const openssl = (...args: string[]): void => {
    const { status, stderr } = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  openssl("req", "-x509", ...newKey, "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem");
  const usage = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n";
  writeFileSync(join(folder, "usage.cnf"), usage);
  openssl(
    "req",
    "-new",
    ...newKey.slice(0, -2),
    "-subj",
    "/CN=etcd",
    "-keyout",
    "etcd.key",
    "-out",
    "etcd.csr",
  );
  openssl(
    ...["x509", "-req", "-in", "etcd.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
    ...["-days", "2", "-extfile", "usage.cnf", "-out", "etcd.pem"],
  );
  return { ca: join(folder, "ca.pem"), cert: join(folder, "etcd.pem"), key: join(folder, "etcd.key") };
}
