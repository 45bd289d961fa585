/** Who asks, where balancers that the file trusts stand in front of us: what `from`, `allow`, `deny` and `rateLimit` go by. */
import { type BlockList, isIP } from "node:net";
import { inNetworks, plainAddress } from "./networks.ts";

/**
 * The last address of X-Forwarded-For that is not one of a trusted balancer: each of these has written down who came to it, and
 * what stands further left is a claim of whoever that was (A17).
 */
export function clientAddressOf(
  { xForwardedFor }: { readonly xForwardedFor: string },
  origin: { readonly address: string; readonly trusted: boolean },
  trusted: BlockList,
): string {
  if (!origin.trusted || xForwardedFor === "") return origin.address;
  let client = origin.address;
  for (let end = xForwardedFor.length; end > 0; ) {
    const comma = xForwardedFor.lastIndexOf(",", end - 1);
    const hop = withoutPort(xForwardedFor.slice(comma + 1, end).trim());
    // "unknown", or a name of its own: nobody further left can be known either.
    if (isIP(hop) === 0) return client;
    client = plainAddress(hop);
    if (!inNetworks(trusted, client)) return client;
    end = comma;
  }
  return client;
}

/** Some balancers write "192.0.2.1:4711" and "[2001:db8::1]:4711". */
function withoutPort(hop: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(hop);
  if (bracketed !== null) return bracketed[1]!;
  return /^[\d.]+:\d+$/.test(hop) ? hop.slice(0, hop.indexOf(":")) : hop;
}
