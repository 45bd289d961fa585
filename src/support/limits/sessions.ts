/** Sessions: in memory, on two servers, on disk, and in the hands of operators. */

/** Sessions. */
export const session = {
  /** A session's data as stored. */
  dataBytesMax: 1_048_576,
  /** Sessions of one app process; the longest idle ones make room. Of the smallest ones 512 MiB hold fewer: bytes are what bounds. */
  sessionsMax: 10_000_000,
  /** Ids whose signature was checked and is remembered, per process. */
  verifiedIdsMax: 100_000,
  idleTimeoutMs: 1_800_000,
  /** Ten years. A cookie's `maxAge` may be longer; the session is then kept unused for so long. */
  idleTimeoutMsMax: 315_360_000_000,
  /** Of a cookie, either way from now: much further away there is no date. */
  maxAgeMsMax: 8_000_000_000_000_000,
  /** Nesting of one value. */
  depthMax: 100,
  /** All sessions of one app process as stored (session/table/record-store.ts); the longest idle ones make room. */
  memoryBytesMax: 536_870_912,
  /** The same on the disk of one server, with `durability: backup+disk`. */
  diskBytesMax: 10_000_000_000,
  /** Sessions that are kept as objects, those used last; the others are bytes outside the heap until they are used again. */
  awakeSessionsMax: 8_192,
  /** The same in bytes as stored; as objects they take several times as much. */
  awakeBytesMax: 67_108_864,
  /** Sessions as bytes are kept in pieces of memory of this size; one larger than an eighth of it has a piece of its own. */
  segmentBytes: 1_048_576,
  /** Of this memory, what may be of sessions that are gone before it is cleaned. */
  goneShareMax: 0.15,
  /** For each byte that comes or goes, so many are looked at where cleaning is due: it keeps up, and no call takes long. */
  cleanedPerByte: 8,
  /** The same of each tick, and the sessions of dropped copies that it frees. */
  cleanedAtOnceBytes: 1_048_576,
  freedAtOnceMax: 5_000,
  /** A use counts from the begin of a request, when that took no longer, and its session is kept by another server. */
  touchAfterMs: 1_000,
  /** A change not committed by then has an unknown outcome, and a response held so long for it is answered 503 instead. */
  commitTimeoutMs: 2_000,
  /** Some sessions are looked at so often, and the expired among them end; all have had their turn within `sweepRoundMs`. */
  sweepIntervalMs: 250,
  sweepRoundMs: 60_000,
  /** So many are looked at in each sweep where there are as many: with fewer sessions it looks at all. */
  lookedAtOnceMin: 5_000,
  /** Expired sessions that one sweep ends. */
  sweptAtOnceMax: 2_000,
  /** Whether sessions have to make room is looked at so often in a cluster. */
  roomIntervalMs: 1_000,
  /** Sessions that are compared for the longest idle, where some have to make room. */
  lookedAtMax: 20_000,
  /** Of those, so many make room at once. */
  evictedAtOnceMax: 5_000,
  /** In a process that keeps them alone, so large a share: it is not for one that thousands are looked at. */
  evictedShare: 0.015625,
  /** That sessions had to make room is logged once in this time. */
  complaintIntervalMs: 60_000,
  /** Slots that are recovered within so long of the first one are told of in one line. */
  recoveryGatherMs: 1_000,
  /** That requests were refused because their sessions could not be loaded is logged once in this time. */
  refusedComplaintIntervalMs: 5_000,
  /** `session.update` runs its function so often, when others change the key each time meanwhile. */
  updateTriesMax: 200,
  /** An update waits so long for the one before in the same process. */
  updateTurnMs: 2_000,
  /** Cookies of one name of which the signature is looked at; a client can't make us hash a whole head full. */
  cookiesVerifiedMax: 4,
  /** With `movingFrom`: of a cookie of another library, percent-encoded, and secrets that may have signed it. */
  oldCookieCharsMax: 1_024,
  oldSecretsMax: 4,
} as const;

/** Sessions on two servers (session/cluster): its times. Each has its reason in docs/decisions/session-protocol.md. */
export const replication = {
  beatIntervalMs: 100,
  /** From the sending of a heartbeat on which the backup promised; an owner serves no longer than this. */
  leaseMs: 700,
  /** Whoever has told of no other heartbeat of ours for so long hears us no more, and is promised nothing. */
  heardWithinMs: 200,
  /** From the last heartbeat on which it promised; a backup takes over no earlier. Longer than the lease by more than clocks may differ. */
  promiseMs: 900,
  /** A backup that answered nothing for so long is taken out. */
  silentMs: 500,
  /** After a false alarm; ends after `calmMs` without another. */
  silentAfterAlarmMs: 1_000,
  calmMs: 60_000,
  /** An event loop that stood still for so long judges nobody until it has listened anew. */
  ownPauseMs: 300,
  /** From the begin of a read of the register; an owner serves no longer than this. */
  registerLeaseMs: 10_000,
  registerReadIntervalMs: 3_000,
  /** The same after a read that failed. */
  registerReadRetryMs: 300,
  /** Less than this is left of it: the server says that it has lost sight of the register. */
  blindLeaseMs: 4_000,
  /** Holders that were not heard for so long are challenged, then given up unless they answer in the register. */
  challengeAfterMs: 15_000,
  challengeMs: 15_000,
  /** Copies that a restarted server may still offer are waited for so long. */
  offersMs: 30_000,
  /** And at least so long after they were asked for, also by a server that has come back meanwhile, */
  offersAskedMs: 5_000,
  /** but no longer than this. */
  offersMsMax: 90_000,
  /** A load waits so long for an owner that may answer: longer than a takeover takes without the proof of a death. */
  loadWaitMs: 3_000,
  /** A start that waits for owners, and a stop that hands over, look so often how far they are. */
  pollMs: 25,
  /** Share of the time left that a change may be under way to its owner; covers clocks that differ. */
  freshShare: 0.75,
  /** A server that shows an older map for so long is sent ours, and again after so long. */
  behindMs: 250,
  resendAfterMs: 300,
  /** What was sent again is not sent once more before. */
  resendPauseMs: 50,
  /** The owner's own updates of a key leave others so much time, who need two ways over the network. */
  contendedPauseMs: 5,
  touchIntervalMs: 60_000,
  /** What a backup's knowledge of the last use may lag behind, added to idle timeouts after a takeover. */
  touchLagMs: 130_000,
  /** Changes of one slot that wait for their commit. */
  pendingPerSlotMax: 1_000,
  /** The values in those of all slots: what a busy backup takes well within `commitTimeoutMs`. More wait, or are refused. */
  pendingBytesMax: 16_777_216,
  /** While a disk can't be written and the memory of its server is full, sessions may grow by so much in one change. */
  heldGrowthBytes: 256,
  /** And when it is so full, as a share of `memory:`, nothing changes but what ends: a backup has in memory what has changed. */
  heldFullnessMax: 1.25,
  /** A change waits so long for its place among those; then it is refused. */
  placeWaitMs: 1_500,
  /** Operations that wait for an owner, or for the answer of another server; and the values in them. */
  waitingMax: 10_000,
  waitingBytesMax: 67_108_864,
  /** One server's death is felt by no more than so many others, and an owner keeps no more leases. */
  backupsPerOwnerMax: 4,
  /**
   * Slots are moved about only when who lives has not changed for so long: after a death the backups take over first, and
   * the dead one is often back before. Every change of the register delays the others.
   */
  settledMs: 2_000,
  /** The same where somebody waits for it: a server that leaves, sessions that have no owner yet. */
  settledSoonMs: 1_000,
  /** Slots that one server copies at a time to joining backups, and parts of a copy on their way. */
  transfersMax: 1_024,
  /** The sessions of those slots: no more are begun from here on. Well below `unsentBytesMax`, or a copy ends its own connection. */
  transferBytesMax: 33_554_432,
  transferPartsMax: 4,
  transferPartBytes: 16_384,
  /** Answers nothing for so long: a copy is begun anew elsewhere. */
  transferSilentMs: 3_000,
  frameBytesMax: 16_777_216,
  /** A receiver keeps so much room for the next frame. */
  frameBufferBytes: 4_194_304,
  /** From so many bytes on a frame does not wait for the end of the turn. */
  frameBytesEager: 1_048_576,
  /** Bytes that a server does not take, on either of its streams, above which its connection is given up. */
  unsentBytesMax: 134_217_728,
  unsentBeatBytesMax: 65_536,
  /** A lost link between two app servers is dialed again within so long: a restarted one can't serve before. */
  reconnectMaxMs: 250,
  /** Streams that ended on links that live are opened again after so long. */
  reopenAfterMs: 100,
} as const;

/** Copies of slots on a server's own disk. */
export const diskCopies = {
  /** Given to the disk and not synced; what changes beyond it is noted, and given when there is room. */
  pendingBytesMax: 33_554_432,
  /** The same with the uses of sessions: of more the disk is not told while it can't be written. */
  touchesBytesMax: 67_108_864,
  /** Of the bound, how much of memory is left filled where sessions had to leave it. */
  filledShare: 0.95,
  /** Of a key that is noted until the disk has what became of its session, in memory. */
  notedKeyBytes: 160,
  /** While a disk can't be written, what may leave memory is looked for so often: it is little, and all sessions are looked at. */
  heldIntervalMs: 10_000,
  /** A disk that syncs nothing for so long counts as one that can't be written. */
  stalledMs: 1_000,
  /** A disk that could not be read is not relied upon for so long: its server hands over. */
  unreadableMs: 10_000,
  /** A slot's owner without a backup says after so long that the former one is not needed any more. */
  priorKeptMs: 2_000,
} as const;

/** The database in which `durability: backup+disk` keeps sessions. */
export const sessionDatabase = {
  /** Changes on their way to its thread: a buffer's first size, and from where on the next changes go into another one. */
  batchBytesMin: 65_536,
  batchBytesMax: 1_048_576,
  /** Buffers that wait to be used again. */
  spareBatchesMax: 2,
  /** Questions are answered for so long before changes have their turn. */
  answerTurnMs: 5,
  /** Pages that SQLite keeps in memory. */
  cacheBytes: 16_777_216,
  /** Pages in the log, about, above which they are moved to the file; a crash has to read as many at the next start. */
  checkpointPages: 4_000,
  /** Of copies that nobody wants any more, removed at a time, and the pause between two such steps. */
  removedAtOnce: 256,
  removePauseMs: 20,
  /** Sessions at the head of a copy's order of ends that one question puts right because they were used meanwhile. */
  revisedAtOnceMax: 1_024,
  /** For how long a process ran is written so often, when nothing else is: after a crash sessions live so much longer at most. */
  idleWriteMs: 10_000,
  /** A disk that could not be written, or a thread that died, is tried again after so long. */
  retryMs: 1_000,
  /** Why it can't be written is told at most so often. */
  complaintIntervalMs: 30_000,
  /** Another process that is about to end may have the file for so long. */
  lockWaitMs: 1_000,
  /** A process that ends looks so often whether all is written. */
  lastSyncPollMs: 10,
  /** A file that was put aside stays until the next one: with all its sessions on another server, one is enough. */
  asideMax: 1,
} as const;

/** Sessions that an orderly stop writes to disk. */
export const savedSessions = {
  /** Reading and writing them gives way to other events after so long. */
  turnMs: 5,
  /** What the file needs at most of what the sessions took in memory. */
  fileShareOfMemory: 1.25,
  trialBytes: 65_536,
  /** Files that were put aside, of one server: each is the only copy of what it holds. */
  asideMax: 9,
  /** A disk that took nothing is tried again after so long; the process stays until then. */
  retryMs: 1_000,
  /** That it still takes nothing is logged once in this time. */
  complaintIntervalMs: 60_000,
  /** A process that has not written all by then can be asked why it has not ended. */
  quietMs: 250,
} as const;

/** What operators do with sessions: `flotilla sessions`. */
export const sessionAdmin = {
  /** Going over many sessions gives way to other events after so long. */
  turnMs: 5,
  /** Sessions in one answer, about: one more may be as large as a session can be. */
  pageBytes: 262_144,
  /** Rows of a database that are read for one answer; each may be as large as a session can be. */
  rowsMax: 100,
  /** One that is put in the place of another is tried so often, where others write it at the same time. */
  putTriesMax: 5,
  /** An answer is given after so long at the latest, however little it found. */
  pageMs: 500,
  /** Of sessions that end in one question. */
  keysMax: 512,
  /** Questions to end sessions that one command has open: while one waits for disks, others are applied. */
  questionsAtOnce: 4,
  /** An answer, a question, or a line of a checkpoint with one session of the largest size, every character of it escaped. */
  sessionTextBytesMax: 8_388_608,
  /** Of lists and objects in each other, in a line of a checkpoint: those of a value, and what stands around it. */
  lineDepthMax: 110,
  /** A server has so long to answer a question. */
  answerTimeoutMs: 10_000,
  /** Slots that nobody serves, and servers that are busy, are waited for so long before a command gives up. */
  patienceMs: 20_000,
  /** They are asked again after so long. */
  retryMs: 250,
  /** Sessions that `import` gives to all servers together in a second, if nobody says another number. */
  importPerSecond: 5_000,
  /** Sessions in one question of `import`, at most. */
  importBatchMax: 250,
  /** How far a command is, is told again after so long. */
  progressMs: 1_000,
  /** Lines that are wrong, told one by one. */
  problemsMax: 20,
  /** A file with so many is not read to its end: it may have none. */
  wrongLinesMax: 10_000,
  /** Whether a server has room for sessions that are put back is looked at so often: it means to go over all slots. */
  roomLookMs: 50,
  /** Unfinished files of exports that were killed, removed by the next one. */
  unfinishedMax: 16,
} as const;

/** `flotilla sessions import --from`: what it reads from the stores of other libraries. */
export const sessionImport = {
  /** Keys or rows that are told of at once, without their data. */
  pageRows: 500,
  /** Data that are asked for at once: one session's may be more. */
  textsBytes: 1_048_576,
  /** A longer text is not read: what we keep of one may be half of it, for some databases write blanks between all words. */
  textBytesMax: 2_097_152,
  connectTimeoutMs: 5_000,
  /** Of a question to the source; to count ten million rows takes it some seconds. */
  sourceTimeoutMs: 30_000,
  /** Sessions that are named for each reason to leave some out, by the first characters of their ids. */
  examplesMax: 3,
  exampleChars: 8,
  /** Reasons that are told; they may hold names of keys. */
  reasonsMax: 20,
  /** How far it is, is written to the file of `--resume` so often. */
  resumeIntervalMs: 1_000,
} as const;
