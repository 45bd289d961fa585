/** Networks of the file: whom it trusts, lets in, or routes by where they come from. */
import { BlockList, isIPv6 } from "node:net";

/** @param networks addresses and CIDR ranges, checked when the file was loaded. */
export function networksOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

export function inNetworks(networks: BlockList, address: string): boolean {
  const plain = plainAddress(address);
  return networks.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
}

/** An IPv4 client of a socket that listens on "::" is shown as ::ffff:192.0.2.1. */
export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
