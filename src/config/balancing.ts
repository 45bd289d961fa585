/** `balance:`, `affinity:`, `check:` and what goes with them -> how requests are spread, and how servers are judged. */
import type { Context, Placed } from "./context.ts";
import type {
  AffinitySettings,
  BalanceSettings,
  CheckSettings,
  Cluster,
  HttpCheck,
  Server,
} from "./model.ts";
import { parseStatusRange } from "./scalars.ts";
import type { Section } from "./section.ts";

type Balancing = Pick<Cluster, "balance" | "affinity" | "check" | "slowStartMs" | "retryBudget">;

export function buildBalancing(
  section: Section,
  servers: readonly Placed<Server>[],
  context: Context,
): Balancing {
  return {
    balance: buildBalance(section.section("balance"), context),
    affinity: section.has("affinity") ? buildAffinity(section, context) : null,
    check: section.has("check") ? buildCheck(section.section("check"), servers, context) : null,
    slowStartMs: section.number("slowStart"),
    retryBudget: section.number("retryBudget") / 100,
  };
}

function buildBalance(section: Section, { problems }: Context): BalanceSettings {
  const policy = section.text("policy") as BalanceSettings["policy"];
  const by = section.text("by") as BalanceSettings["by"];
  const isNamed = by === "header" || by === "cookie";
  const name = section.text("name");
  for (const key of ["by", "name", "loadBound"]) {
    if (section.has(key) && policy !== null && policy !== "consistent-hash")
      problems.error(
        section.atOf(key),
        `${section.where}: ${key}: goes with policy: consistent-hash, not with ${policy}`,
      );
  }
  if (isNamed && !section.has("name"))
    problems.error(section.atOf("by"), `${section.where}: by: ${by} needs name: too, the name of the ${by}`);
  if (!isNamed && by !== null && section.has("name"))
    problems.error(section.atOf("name"), `${section.where}: name: goes with by: header or by: cookie`);
  return {
    policy,
    by,
    name: name === null ? "" : by === "header" ? name.toLowerCase() : name,
    loadBound: section.number("loadBound") / 100,
  };
}

function buildAffinity(cluster: Section, { problems }: Context): AffinitySettings {
  const section = cluster.section("affinity");
  const by = section.text("by") as AffinitySettings["by"];
  if (cluster.has("sessions"))
    problems.error(
      cluster.atOf("affinity"),
      `${cluster.where}: affinity: does not go with sessions:, which keep each visitor at the server of his session`,
    );
  if (by === "client-address" && section.has("name"))
    problems.error(section.atOf("name"), `${section.where}: name: goes with by: cookie`);
  if (by === "cookie" && section.has("for"))
    problems.error(
      section.atOf("for"),
      `${section.where}: for: goes with by: client-address; the cookie lasts until the browser ends`,
    );
  return { by, cookieName: section.text("name") ?? "", keptMs: section.number("for") };
}

function buildCheck(
  section: Section,
  servers: readonly Placed<Server>[],
  { problems }: Context,
): CheckSettings {
  const isHttp = section.has("http");
  if (!isHttp) {
    for (const key of ["host", "status", "body"]) {
      if (section.has(key)) problems.error(section.atOf(key), `${section.where}: ${key}: goes with http:`);
    }
    if (section.flag("tcp") === false)
      problems.error(section.atOf("tcp"), `${section.where}: tcp: found false; leave check: out for none`);
    if (servers.some(({ value }) => value.kind === "link"))
      problems.error(
        section.atOf("tcp"),
        `${section.where}: tcp: goes with plain HTTP servers; the link to a member is watched anyway`,
      );
  }
  const intervalMs = section.number("interval");
  if (section.has("timeout") && section.number("timeout") > intervalMs)
    problems.error(
      section.atOf("timeout"),
      `${section.where}: timeout: is longer than interval:, so one check would still run when the next begins`,
    );
  return {
    http: isHttp ? buildHttpCheck(section) : null,
    intervalMs,
    timeoutMs: Math.min(section.number("timeout"), intervalMs),
    rise: section.number("rise"),
    fall: section.number("fall"),
  };
}

function buildHttpCheck(section: Section): HttpCheck {
  const { from, to } = parseStatusRange(section.text("status") ?? "200-399")!;
  return {
    target: section.text("http") ?? "/",
    host: section.text("host"),
    statusMin: from,
    statusMax: to,
    text: section.text("body") ?? "",
  };
}
