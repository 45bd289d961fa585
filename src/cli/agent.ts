/** `flotilla agent`: one small process that tells dispatchers how busy its machine is. It needs no file of a cluster. */
import { setTimeout as sleep } from "node:timers/promises";
import { thisMachine } from "../config/local.ts";
import type { Endpoint } from "../config/model.ts";
import { parseDuration } from "../config/quantities.ts";
import { isNetwork, parseEndpoint } from "../config/scalars.ts";
import { LoadAgent } from "../load/agent.ts";
import { type AgentState, StateFile } from "../load/agent-state.ts";
import { FlotillaError } from "../support/errors.ts";
import { agent as limits } from "../support/limits.ts";
import { createLog } from "../support/log.ts";
import { interruptedCode, onStopSignals } from "../support/signals.ts";
import { inNetworks, networksOf } from "../web-tier/networks.ts";

export interface AgentOptions {
  readonly listen: readonly string[];
  readonly allow: readonly string[];
  readonly state?: string;
  readonly drain: string;
}

/** What it tells is no secret between machines of one site, and none of the world's business. */
const privateNetworks = [
  ...["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"],
  ...["::1", "fc00::/7", "fe80::/10"],
];

const up: AgentState = { admin: "ready", health: "up", text: "" };

/** @throws FlotillaError FLOTILLA_AGENT_OPTION, or when a port can't be had. */
export async function agent(options: AgentOptions): Promise<number> {
  const endpoints = options.listen.length === 0 ? [String(limits.port)] : options.listen;
  const where = endpoints.map(endpointOf);
  const networks = networksOf(options.allow.length === 0 ? privateNetworks : options.allow.map(networkOf));
  const drainMs = parseDuration(options.drain) ?? wrong("--drain", options.drain, "a time like 10s");
  const log = createLog("agent");
  const file = options.state === undefined ? null : new StateFile(options.state, log);
  let isStopping = false;
  const state = (): AgentState => {
    const said = file?.read() ?? up;
    return isStopping && said.admin === "ready" ? { ...said, admin: "drain" } : said;
  };
  const stopAsked = Promise.withResolvers<NodeJS.Signals>();
  const atOnce = (): void => process.exit(interruptedCode);
  onStopSignals({ drain: stopAsked.resolve, hurry: atOnce, atOnce });
  const told = new LoadAgent({ allows: (address) => inNetworks(networks, address), state, log });
  for (const { address, port } of where) {
    await told.listen(address, port);
    log.info(`tells of this machine's load at ${address}:${port} (process ${process.pid})`);
  }
  // Read now, so that a mistake in it is told now.
  file?.read();
  const signal = await stopAsked.promise;
  isStopping = true;
  if (drainMs > 0) {
    log.info(`${signal}: says "drain" for ${drainMs / 1_000} s, then stops`);
    await sleep(drainMs);
  }
  told.close();
  log.info("stopped");
  return 0;
}

function endpointOf(text: string): Endpoint {
  const endpoint = parseEndpoint(text);
  if (endpoint === null) return wrong("--listen", text, "a port, or address:port");
  return { address: endpoint.address ?? thisMachine().anyAddress, port: endpoint.port };
}

function networkOf(text: string): string {
  return isNetwork(text) ? text : wrong("--allow", text, 'an address or a network like "10.0.0.0/8"');
}

function wrong(option: string, text: string, wanted: string): never {
  throw new FlotillaError("FLOTILLA_AGENT_OPTION", `${option} ${text}: write ${wanted}`, {
    source: "client",
  });
}
