/** `coordination: members` as a server runs it: its machine's vote, its proposals, and the care for the voters. */
import { randomBytes } from "node:crypto";
import type { StreamService } from "../../link/api.ts";
import { systemClock } from "../../support/clock.ts";
import type { EngineNotes, RegisterEngine } from "../engine.ts";
import type { ValueCodec } from "../register.ts";
import { aboveForks, emptySlotMap, type SlotMap } from "../slot-map.ts";
import { slotMapCodec } from "../slot-map-codec.ts";
import { Acceptor } from "./acceptor.ts";
import { MembersRegister } from "./members-register.ts";
import { type LinksTo, LinkVoterTransport, registerService } from "./register-service.ts";
import { VoterChanges } from "./voter-changes.ts";
import { VoterFile } from "./voter-file.ts";

export interface MembersEngineOptions extends EngineNotes {
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
  /** For the value; slotMapCodec by default. */
  readonly codec?: ValueCodec<SlotMap>;
}

export class MembersEngine implements RegisterEngine {
  readonly name = "members";
  readonly move = null;
  readonly register: MembersRegister<SlotMap>;
  readonly voters: VoterChanges;
  readonly service: StreamService;

  readonly #file: VoterFile;

  /** @throws the system's error when the data folder can't be used. */
  constructor(options: MembersEngineOptions) {
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
      ...{ ...parts, node, fileVoters, codec: options.codec ?? slotMapCodec },
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

  get world(): string | null {
    return this.register.world;
  }

  /** Why this machine has no vote; null: it has one, as far as known. */
  get problem(): string | null {
    return this.#file.problem;
  }

  get changeTrouble(): string | null {
    return this.register.changeTrouble;
  }

  start(): void {
    this.voters.start();
  }

  /** The vote is served for as long as the cluster port is open. */
  stop(): void {
    this.voters.stop();
    this.register.stop();
    this.#file.close();
  }
}
