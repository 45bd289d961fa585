/** A process that only votes on who keeps which session: two machines and it are a majority when one of the three is gone. */
import { type Link, StreamKind, type StreamService } from "../../link/api.ts";
import type { LinkDialer } from "../../link/dialer.ts";
import { linkKeys } from "../../link/keys.ts";
import { LinkListener } from "../../link/listener.ts";
import type { Member } from "../../member/member.ts";
import type { MembersEngine } from "../../register/members/engine.ts";
import type { Log } from "../../support/log.ts";
import { keepersOf, openMembers, voteDialer } from "./open-register.ts";

export class Witness {
  readonly #register: MembersEngine;
  readonly #port: LinkListener;
  /** To the app servers: a vote that was lost is added anew by whoever it belongs to. */
  readonly #dialers: readonly { readonly address: string; readonly dialer: LinkDialer }[];

  /**
   * @param admin what operators ask.
   * @throws FlotillaError FLOTILLA_DATA_FOLDER
   */
  constructor(member: Member, admin: StreamService, log: Log) {
    const { file, server, incarnation } = member;
    const { name, address, port } = server;
    this.#register = openMembers(member, (voter) => this.#linksTo(voter), log);
    const services = new Map<StreamKind, StreamService>([
      [StreamKind.register, this.#register.service],
      [StreamKind.admin, admin],
    ]);
    const keys = linkKeys(file.secret, file.previousSecret);
    const common = { self: { name, incarnation }, keys, services, log };
    const knows = (peer: string): boolean => peer.startsWith("@") || file.servers.has(peer);
    this.#port = new LinkListener({ ...common, address, port, knows });
    this.#dialers = keepersOf(member).map((keeper) => ({
      address: keeper.address,
      dialer: voteDialer(keeper, common),
    }));
  }

  /** @throws FlotillaError when the port can't be had. */
  async start(): Promise<void> {
    await this.#port.listen();
    for (const { dialer } of this.#dialers) dialer.start();
    this.#register.start();
  }

  async stop(): Promise<void> {
    this.#register.stop();
    for (const { dialer } of this.#dialers) dialer.close();
    await this.#port.close();
  }

  #linksTo(voter: string): Link[] {
    return this.#dialers.flatMap(({ address, dialer: { link } }) =>
      address === voter && link !== null ? [link] : [],
    );
  }
}
