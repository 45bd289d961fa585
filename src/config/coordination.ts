/** `coordination:` -> who keeps the register of a cluster's sessions, and what it takes to reach it. */
import { resolve } from "node:path";
import { readAuthorities, readCertificate } from "./certificates.ts";
import type { Context, Placed } from "./context.ts";
import type { CoordinationSettings, EngineTls, Server } from "./model.ts";
import { quote } from "./problems.ts";
import { parsePlainServer } from "./scalars.ts";
import type { Section } from "./section.ts";

/** Keys that go with an engine outside of the servers. */
const engineKeys = ["prefix", "user", "password", "tls"];

/**
 * @param section the cluster.
 * @param elsewhere its servers are on other machines: files are not looked for here.
 */
export function buildCoordination(
  section: Section,
  witness: Placed<Server> | null,
  elsewhere: boolean,
  context: Context,
): CoordinationSettings {
  const coordination = section.section("coordination");
  const engine = coordination.text("engine");
  if (coordination.has("etcd") && engine !== "members") {
    refuseWitness(witness, "etcd", context);
    return buildEtcd(coordination, elsewhere, context);
  }
  if (engine === "etcd")
    context.problems.error(
      coordination.atOf("engine"),
      `${coordination.where}: etcd needs the addresses of its servers: coordination: { etcd: ["http://10.0.0.5:2379"] }`,
    );
  for (const key of ["etcd", ...engineKeys]) {
    if (!coordination.has(key) || engine === "etcd") continue;
    const why = key === "etcd" ? "does not go with engine: members" : "goes with etcd:";
    context.problems.error(coordination.atOf(key), `${coordination.where}: ${key}: ${why}`);
  }
  return { engine: "members" };
}

/** Its vote would count nowhere. */
function refuseWitness(witness: Placed<Server> | null, engine: string, { problems }: Context): void {
  if (witness === null) return;
  problems.error(
    witness.at,
    `${witness.value.name} would have nothing to vote on: with coordination: ${engine} the servers of ${engine} decide; remove witness:, or coordination:`,
  );
}

function buildEtcd(section: Section, elsewhere: boolean, context: Context): CoordinationSettings {
  const { problems } = context;
  const urls = section.scalarItems("etcd");
  const endpoints: string[] = [];
  for (const { at, value } of urls) {
    const target = parsePlainServer(String(value))!;
    const endpoint = `${target.scheme}://${target.authority}`;
    if (target.scheme === "unix")
      problems.error(
        at,
        `${section.where}: etcd has no Unix socket; allowed is "http://host:port" or "https://host:port"`,
      );
    else if (endpoints.includes(endpoint))
      problems.error(at, `${section.where}: ${quote(endpoint)} stands twice`);
    else endpoints.push(endpoint);
  }
  const user = section.text("user");
  const password = section.text("password");
  if (section.has("user") !== section.has("password"))
    problems.error(
      section.atOf(section.has("user") ? "user" : "password"),
      `${section.where}: user: and password: go together`,
    );
  const isPlain = endpoints.every((endpoint) => endpoint.startsWith("http:"));
  if (isPlain && section.has("tls"))
    problems.error(section.atOf("tls"), `${section.where}: tls: goes with https:// in etcd:`);
  if (password !== null && !endpoints.every((endpoint) => endpoint.startsWith("https:")))
    problems.warning(
      section.atOf("password"),
      `${section.where}: the password goes over the network as it is, with http://; who listens there can read and change who keeps which session`,
    );
  return {
    engine: "etcd",
    endpoints,
    prefix: section.text("prefix") ?? "",
    user: password === null ? null : user,
    password: user === null ? null : password,
    tls: section.has("tls") ? buildTls(section.section("tls"), elsewhere, context) : null,
  };
}

function buildTls(tls: Section, elsewhere: boolean, { folder, problems }: Context): EngineTls {
  const pathOf = (key: string): string | null => {
    const name = tls.text(key);
    return name === null ? null : resolve(folder, name);
  };
  const shown = (key: string): string => {
    const written = tls.writtenText(key);
    return quote(written.includes("${") ? written : resolve(folder, written));
  };
  const [caPath, certPath, keyPath] = [pathOf("ca"), pathOf("cert"), pathOf("key")];
  if (tls.has("cert") !== tls.has("key"))
    problems.error(tls.atOf(tls.has("cert") ? "cert" : "key"), `${tls.where}: cert: and key: go together`);
  if (caPath !== null && !elsewhere) {
    const read = readAuthorities(caPath, shown("ca"));
    if ("trouble" in read) problems.error(tls.atOf("ca"), `${tls.where}.ca: ${read.trouble}`);
  }
  const certificate = certPath === null || keyPath === null ? null : { certPath, keyPath };
  if (certificate !== null && !elsewhere) {
    const files = { ...certificate, certShown: shown("cert"), keyShown: shown("key") };
    for (const { of, what } of readCertificate(files).troubles)
      problems.error(tls.atOf(of), `${tls.where}.${of}: ${what}`);
  }
  return { caPath, certificate, serverName: tls.text("serverName") };
}
