/** The register of one cluster as a server runs it: its machine's vote, its proposals, and the care for the voters. */
import { randomBytes } from "node:crypto";
import type { StreamService } from "../link/api.ts";
import { systemClock } from "../support/clock.ts";
import { Acceptor } from "./acceptor.ts";
import { MembersRegister } from "./members.ts";
import { type LinksTo, LinkVoterTransport, registerService } from "./register-service.ts";
import { aboveForks, emptySlotMap, type SlotMap } from "./slot-map.ts";
import { slotMapCodec } from "./slot-map-codec.ts";
import { VoterChanges } from "./voter-changes.ts";
import { VoterFile } from "./voter-file.ts";

export interface ClusterRegisterOptions {
  /** The cluster's name. */
  readonly cluster: string;
  /** "app-a#incarnation". */
  readonly node: string;
  /** The address of this machine in the file, or the witness's name: what this process votes as. */
  readonly voter: string;
  /** From `chooseVoters`: the same on all machines. */
  readonly fileVoters: readonly string[];
  readonly dataFolder: string;
  /** Entries of the cluster to their letters by the file, pinned with the first version. */
  readonly letters: ReadonlyMap<string, string>;
  readonly linksTo: LinksTo;
  /** For the log: what an operator has to know. */
  readonly onProblem: (message: string) => void;
  /** For the log: it is over. */
  readonly onMended: (message: string) => void;
}

export class ClusterRegister {
  readonly register: MembersRegister<SlotMap>;
  readonly voters: VoterChanges;
  /** For StreamKind.register of the cluster port. */
  readonly service: StreamService;

  readonly #file: VoterFile;

  /** @throws the system's error when the data folder can't be used. */
  constructor(options: ClusterRegisterOptions) {
    const { cluster, node, voter, fileVoters, dataFolder, letters, linksTo, onProblem, onMended } = options;
    this.#file = new VoterFile(dataFolder, cluster, voter, { onProblem, onMended });
    const acceptor = new Acceptor({
      name: voter,
      storage: this.#file,
      newMarker: () => randomBytes(9).toString("base64url"),
      onDamage: (error) => onProblem(error.message),
    });
    const parts = {
      transport: new LinkVoterTransport(cluster, linksTo, { name: voter, acceptor }),
      clock: systemClock,
      random: Math.random,
    };
    this.register = new MembersRegister<SlotMap>({
      ...{ ...parts, node, fileVoters, codec: slotMapCodec },
      first: () => emptySlotMap(letters),
      afterFork: aboveForks,
    });
    this.voters = new VoterChanges({
      ...parts,
      register: this.register,
      ownVoter: voter,
      wanted: fileVoters,
      onProblem,
    });
    this.service = registerService(new Map([[cluster, acceptor]]));
  }

  /** Why this machine has no vote, and what to do, for a person; null: it has one, as far as known. */
  get voterProblem(): string | null {
    return this.#file.problem;
  }

  start(): void {
    this.voters.start();
  }

  /** Nobody who waits is called any more. The vote is served for as long as the cluster port is open. */
  stop(): void {
    this.voters.stop();
    this.register.stop();
    this.#file.close();
  }
}
