/** Who keeps which sessions: the register and its engines. */

/** Who keeps which session slot: the register and its voters. */
export const register = {
  /** Session ids carry twelve bits of slot. */
  slotCount: 4_096,
  votersMax: 5,
  /** The value: 4,096 slots with their holders. */
  valueBytesMax: 524_288,
  /** One message between voters and proposers, or a voter's file. */
  messageBytesMax: 557_056,
  /** Names of servers, incarnations, markers, ids of changes. */
  nameBytesMax: 256,
  /** Where a register went, in words. */
  placeBytesMax: 1_024,
  /** Tries of a move whose outcome was unknown. */
  moveTriesMax: 3,
  /** Entries of a cluster, and letters still held back for those that left. */
  lettersMax: 62,
  /** Different holders in one value: no slot has more than three. */
  holdersMax: 12_288,
  /** Latest changes that a state remembers by their ids. */
  recentMax: 32,
  /** Votes waiting in one process for the file; one more is refused. */
  votesPendingMax: 64,
  /** Reads and changes waiting in one process; one more fails at once. */
  operationsMax: 64,
  /** Callers that wait for one and the same read. */
  readersMax: 1_024,
  /** One question to one voter. */
  voteTimeoutMs: 500,
  /** Of two voters, the silent one is waited for so long. */
  pairPatienceMs: 200,
  /** One that was waited for in vain is not waited for again for so long, unless it answers. */
  silentVoterMs: 1_000,
  /** Time in which the asking process stood still counts for no more than this. */
  awakeStepMs: 50,
  /** One read or change, with all its tries. */
  operationTimeoutMs: 2_000,
  backoffMinMs: 10,
  backoffMaxMs: 320,
  /** Looks of a read at voters that disagree, before it makes them agree. */
  readLooksMax: 2,
  /**
   * So often a change that was not made at once looks whether somebody is still at it before it proposes again, with
   * pauses of 10 to 30 ms: about as long as a proposal takes.
   */
  changeLooksMax: 4,
  /** The first version is made without a voter that does not answer only after so long. */
  formationPatienceMs: 3_000,
  /** Between two looks at whether a voter has to be added anew. */
  tendIntervalMs: 1_000,
  /** For the lock of a voter's file, which is held for as long as a disk takes to sync. */
  lockTimeoutMs: 400,
  lockRetryMs: 2,
  /** That a voter's file can't be written is logged once in this time, while it lasts. */
  complaintIntervalMs: 30_000,
  /** And so often it is tried whether it can be written again, with a file of about the size of a vote. */
  probeIntervalMs: 1_000,
  trialBytes: 65_536,
  /** An engine outside of the servers that answers, but refuses changes, is tried again after so long. */
  writeTrialMs: 1_000,
} as const;

/** The register in PostgreSQL. */
export const postgres = {
  hostsMax: 8,
  /** As server_version_num tells it. */
  serverVersionMin: 120_000,
  /** To one host, with TLS and password; then the next one is asked. */
  connectTimeoutMs: 1_500,
  /** One statement: all the time that an operation has. A commit may wait for a busy disk. */
  statementTimeoutMs: 2_000,
  /** Of that time, a row that somebody holds is waited for so long. */
  lockShare: 0.75,
  /** Without a connection the next try comes after so long, twice as long each time up to the other. */
  reconnectMinMs: 50,
  reconnectMaxMs: 1_000,
  /** A connection that lasted so long was a good one. */
  stableAfterMs: 5_000,
  /** For a host that is gone without a word. */
  keepAliveMs: 5_000,
  /** Whether others have changed the register is asked so often, should no notification have come through; */
  pollMs: 5_000,
  /** and so often where none come through. */
  pooledPollMs: 1_000,
  lookTimeoutMs: 1_000,
  /** Of what the server says. */
  messageCharactersMax: 300,
} as const;

/** The register in etcd. */
export const etcd = {
  endpointsMax: 15,
  /** One question to one of its servers: then the next one is asked. */
  attemptTimeoutMs: 600,
  /** To one of its servers, besides the watch. */
  socketsMax: 2,
  /** The register with the ids of its changes. Etcd itself takes 1.5 MiB (--max-request-bytes). */
  valueBytesMax: 557_056,
  /** The same in base64, with what is around it; or one line of the watch. */
  answerBytesMax: 1_048_576,
  tokenBytesMax: 4_096,
  /** Changes in one line of the watch. */
  eventsMax: 1_024,
  /** Before a watch that has ended is begun again. */
  watchPauseMs: 500,
} as const;
