/** Who votes on the sessions of a cluster by its file; apart from what it takes to ask them. */
import type { Cluster } from "../../config/model.ts";
import { chooseVoters } from "../../register/members/voters.ts";

/** @returns addresses of app servers, and the witness's name. */
export function fileVoters({ servers, witness }: Pick<Cluster, "servers" | "witness">): string[] {
  const addresses = servers.filter(({ kind }) => kind === "link").map(({ address }) => address);
  return chooseVoters(addresses, witness?.name ?? null);
}
