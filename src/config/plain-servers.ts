/** `servers:` entries with `http:` -> plain HTTP servers: where they are, how many connections, whose certificates. */
import { X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import { config } from "../support/limits.ts";
import type { ClusterDraft, Context, Placed } from "./context.ts";
import type { Endpoint, PlainServerTls, Server } from "./model.ts";
import { type Problems, quote } from "./problems.ts";
import { readTextFile } from "./read-file.ts";
import { type PlainTarget, parseEndpoint, parsePlainServer } from "./scalars.ts";
import type { NamedSection, Section } from "./section.ts";
import { sharesOf } from "./shares.ts";

const memberKeys = ["port", "processes"];
const plainKeys = ["host", "idleConnections", "agent", "tls"];

/** Of an entry with `address:`. */
export function refusePlainKeys(section: Section, problems: Problems): void {
  refuseKeys(["connections"], section, "goes with http:; with address: it is requests:", problems);
  refuseKeys(plainKeys, section, "goes with http:, not with address:", problems);
}

function refuseKeys(keys: readonly string[], section: Section, why: string, problems: Problems): void {
  for (const key of keys) {
    if (section.has(key)) problems.error(section.atOf(key), `${section.where}: ${key}: ${why}`);
  }
}

export function buildPlainServer(
  { name, section }: NamedSection,
  cluster: string,
  letter: string,
  context: Context,
): Placed<Server>[] {
  refuseKeys(["requests"], section, "goes with address:; with http: it is connections:", context.problems);
  refuseKeys(memberKeys, section, "goes with address:, not with http:", context.problems);
  const url = section.text("http");
  const target = url === null ? null : parsePlainServer(url);
  if (target === null) return [];
  const value: Server = {
    ...{ name, entry: name, cluster, letter, processIndex: 0, kind: "http" },
    ...{ address: target.address, port: target.port, authority: target.authority },
    ...sharesOf(section),
    requestsMax: section.number("connections"),
    plain: {
      socketPath: target.socketPath,
      tls: buildTls(section, target, context),
      host: section.text("host"),
      idleConnectionsMax: section.number("idleConnections"),
      agent: buildAgent(section, context),
    },
  };
  return [{ at: section.atOf("http"), value }];
}

function buildTls(
  section: Section,
  { scheme }: PlainTarget,
  { problems, folder }: Context,
): PlainServerTls | null {
  if (scheme !== "https") {
    refuseKeys(["tls"], section, "goes with https://", problems);
    return null;
  }
  const tls = section.section("tls");
  const ca = tls.text("ca");
  const verify = tls.flag("verify");
  if (verify === false) {
    problems.warning(
      tls.atOf("verify"),
      `${tls.where}.verify: any certificate is taken: who sits between the web servers and ${section.text("http")} reads and changes everything; name its authority with ca: instead`,
    );
  }
  return {
    caPath: ca === null ? null : resolve(folder, ca),
    serverName: tls.text("serverName"),
    verify: verify !== false,
  };
}

/** The files of `ca:`, on machines that need them: those of the web tier, and those that are in no cluster. */
export function checkAuthorities(
  drafts: readonly ClusterDraft[],
  isHere: (draft: ClusterDraft) => boolean,
  problems: Problems,
): void {
  if (drafts.some(isHere) && !drafts.some((draft) => draft.cluster.tier === "web" && isHere(draft))) return;
  for (const { entry, cluster } of drafts) {
    for (const { name, plain } of cluster.servers) {
      const caPath = plain?.tls?.caPath ?? null;
      if (caPath === null) continue;
      const { section } = entry.section.named("servers").find((server) => server.name === name)!;
      checkAuthority(section.section("tls"), caPath, problems);
    }
  }
}

function checkAuthority(tls: Section, path: string, problems: Problems): void {
  const written = tls.writtenText("ca");
  const shown = quote(written.includes("${") ? written : path);
  const { text, trouble } = readTextFile(path, config.fileBytesMax);
  if (text === null) return problems.error(tls.atOf("ca"), `cannot read ${shown}: ${trouble}`);
  try {
    new X509Certificate(text);
  } catch {
    problems.error(tls.atOf("ca"), `there is no certificate in PEM form in ${shown}`);
  }
}

/** Its load is asked for at a host and a port. */
function buildAgent(section: Section, { problems }: Context): Endpoint | null {
  const endpoint = parseEndpoint(section.text("agent") ?? "");
  if (endpoint === null) return null;
  if (endpoint.address !== null) return { address: endpoint.address, port: endpoint.port };
  problems.error(
    section.atOf("agent"),
    `${section.where}: agent: found ${section.text("agent")}, allowed is "host:port"`,
  );
  return null;
}
