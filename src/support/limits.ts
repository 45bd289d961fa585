/**
 * Every maximum of Flotilla, in one place. A value that an operator may change is the default of a row in
 * the table of settings (config/settings.ts), which takes it from here; the others are fixed. Numbers that belong to
 * a format (the frames of the link, the form of an id) stand with it.
 */

/** The cluster port. */
export const link = {
  /** One frame, its 8-byte header included. */
  frameBytesMax: 65_536,
  /** Largest slice of one stream's body sent before other streams get their turn. */
  sliceBytesMax: 16_384,
  /** First credit of a stream in each direction, and what a receiver tops it up to. */
  windowBytes: 262_144,
  /** Streams open at once on one link; one more is refused. */
  streamsMax: 10_000,
  /** Bytes handed to the kernel socket and not yet taken by it, above which bodies wait in their streams. */
  socketBytesMax: 1_048_576,
  /** Opens, credits, resets and pongs on top of `socketBytesMax`; then no stream can be opened. */
  controlBytesMax: 1_048_576,
  /** TLS and hello must be over by then, or the connection is closed. */
  handshakeTimeoutMs: 5_000,
  /** Connections whose handshake is not over, per listener; one more closes the oldest. */
  handshakesMax: 64,
  /** A peer that was not heard for so long is pinged. */
  pingIntervalMs: 250,
  /** How old the measured round trip may be. */
  roundTripIntervalMs: 1_000,
  /** No byte from the peer for so long: no new streams ("silent"). */
  silentAfterMs: 700,
  /** After a false alarm twice as long, up to so many times; each such time without one halves it again. */
  patienceFactorMax: 4,
  patienceCalmMs: 60_000,
  /** No byte from the peer for so long: the connection is given up. */
  deadAfterMs: 10_000,
  /** Our own process stood still for so long: the silence of others is counted anew from here. */
  ownPauseMs: 300,
  /** An ended link sends what it has; a peer that does not take it is cut off after so long. */
  closeTimeoutMs: 1_000,
  /** A failure of one kind from one address is logged once in this time. */
  complaintIntervalMs: 10_000,
  /** Addresses and kinds of failures remembered: as many lines in that time. */
  complaintsMax: 256,
  /** Unfinished writes from which on small batches wait and grow, so that a slow socket does not hold many buffers. */
  writesMax: 4,
  /** Buffers of all links that wait to be used again. */
  spareBatchesMax: 16,
  /** Servers that start together: so long after its start a dialer does not say that the other one is not there yet. */
  firstLinkQuietMs: 2_000,
  reconnectMinMs: 50,
  reconnectMaxMs: 2_000,
} as const;

/** HTTP from browsers and to browsers. */
export const http = {
  headBytesMax: 16_384,
  fieldsMax: 100,
  targetBytesMax: 8_192,
  /** Ranges of one Range field; with more it is ignored, and the answer is the whole. */
  rangesMax: 16,
  /** Codings of one Accept-Encoding that are looked at. */
  codingsMax: 16,
  /** One chunk-size line with its extensions. */
  chunkLineBytesMax: 256,
  /** All chunk extensions of one body. */
  chunkExtensionBytesMax: 16_384,
  trailerBytesMax: 8_192,
  headTimeoutMs: 10_000,
  bodySilenceTimeoutMs: 30_000,
  keepAliveTimeoutMs: 65_000,
  /** Requests read ahead on one connection while an earlier one is answered. */
  pipelinedBytesMax: 65_536,
  /** Pieces of answers longer than this are copied into slabs, which are used again. */
  unslabbedBytesMax: 4_096,
  /** The buffer that all plain connections are read into. */
  readBytes: 65_536,
  /** Connections that the kernel accepts ahead of us. */
  backlog: 1_024,
  /** Connections that a worker accepts from one socket in one turn of its event loop: it holds as many handles of it. */
  acceptsPerTurn: 8,
  /** Connections of one web server; one more is closed at once. */
  connectionsMax: 50_000,
  /** An answer's bytes waiting for one slow reader. */
  answerBufferBytesMax: 262_144,
  /** A reader that takes no byte for so long is cut off. */
  writeSilenceTimeoutMs: 30_000,
  /** Body left unread after an early answer that we still read, before the connection is closed instead. */
  drainBytesMax: 262_144,
  /** Response head of an app server. */
  responseHeadBytesMax: 65_536,
  responseFieldsMax: 200,
  /** A request's body kept so that it can be sent to another server. */
  replayBytesMax: 65_536,
  /** A body up to here leaves in one write with its head. */
  oneWriteBytesMax: 16_384,
  /** After a last answer the client's remaining bytes are read and dropped for so long, so that it can read the answer. */
  lingerTimeoutMs: 2_000,
  /** Silence of a tunnel (WebSocket) in both directions. */
  tunnelSilenceTimeoutMs: 3_600_000,
  /** After so much of it the kernel asks whether the other side is there (TCP keep-alive). */
  tunnelProbeAfterMs: 60_000,
  /** Visitors of a cluster in maintenance are asked to come back after so many seconds. */
  maintenanceRetrySeconds: 300,
  /** Interim (1xx) answers before the final one. */
  interimAnswersMax: 16,
} as const;

/** TLS of browsers. */
export const tls = {
  /** Of one listener. */
  certificatesMax: 1_000,
  /** Files of certificates are looked at so often; what has changed is read when it stays the same for as long. */
  filesIntervalMs: 2_000,
  /** A session may be resumed for so long: no longer than the keys of tickets are accepted. */
  sessionTimeoutSeconds: 86_400,
  /** Of a client's certificate, as the application gets it; who has a longer one is not let in. */
  clientSubjectBytesMax: 4_096,
} as const;

/** HTTP/2 from browsers: what one connection may have and do, on top of the limits of `http`. */
export const http2 = {
  streamsMax: 100,
  /** An answer's bytes waiting for a slow reader; a connection may have `streamsMax` of those. */
  answerBufferBytesMax: 65_536,
  /** What a client may send of one body, and of all bodies, before an app server has read it. */
  streamWindowBytes: 262_144,
  connectionWindowBytes: 1_048_576,
  /** Fields as sent: browsers send each cookie in a field of its own. Together they are one field. */
  sentFieldsMax: 400,
  /** All memory of one connection, in MB; above, no request is taken on it. */
  memoryMbMax: 16,
  /** Requests that ended before their answer did: so many at once, */
  resetsBurst: 200,
  /** and so many a second. Browsers give up requests when a page is left, maps when they are moved. */
  resetsPerSecond: 50,
  /** PING and SETTINGS. */
  controlsBurst: 200,
  controlsPerSecond: 20,
  /** SETTINGS frames of ours that a client has not acknowledged, and entries in one of its. */
  settingsUnacknowledgedMax: 10,
  settingsEntriesMax: 32,
  /** Streams of which the client broke the rules, and that were refused, before its connection is closed. */
  invalidFramesMax: 100,
  rejectedStreamsMax: 100,
  /** Per listener, what belongs to one request is used again. */
  spareStreamsMax: 256,
  /** That clients were cut off is logged once in this time. */
  complaintIntervalMs: 60_000,
} as const;

/** Towards app servers. */
export const upstream = {
  connectTimeoutMs: 5_000,
  idleTimeMs: 5_000,
  recoverTimeMs: 15_000,
  /** The same for a server that refuses connections at once. */
  refusedRetryMs: 1_000,
  requestTimeoutMs: 665_000,
  appKeepAliveTimeoutMs: 15_000,
  socketTimeoutMs: 65_000,
  /** No connection within so long: the server gets no more of them until it answers, and another address is tried. */
  slowConnectMs: 1_500,
  /** Idle connections kept to one plain HTTP server. */
  idleSocketsMax: 256,
  /** Connections to one plain HTTP server, WebSockets included; a request above goes to another server, or waits. */
  socketsMax: 4_096,
  /** Requests of one process of a web server to one app server, upgraded connections included. */
  requestsMax: 10_000,
  /** Requests that wait for room, for each server that has none; one more is answered 503. */
  waitingMax: 1_024,
  /** And so long. */
  queueTimeoutMs: 5_000,
  /** It is looked so often whether a server has come back for them, */
  queueLookMs: 100,
  /** for so many of them that were looked at in vain. */
  queueLooksMax: 64,
  /** Of the body of a request that has no connection yet; then its client has to wait. */
  waitingBodyBytesMax: 16_384,
  /** A request that could not be sent twice takes no connection that was idle for longer: its server may just be closing it. */
  unsafeIdleMs: 1_000,
  /** Addresses of one name; the others are left out. */
  addressesMax: 64,
  /** A name is asked for again after its TTL, within these bounds, */
  ttlMsMin: 1_000,
  ttlMsMax: 3_600_000,
  /** after so long where there is no TTL (names of /etc/hosts, of search domains), */
  nameIntervalMs: 10_000,
  /** after so long where it could not be resolved, */
  nameRetryMs: 2_000,
  /** and at once when none of its addresses can be reached, but no sooner than so long after the last time. */
  nameHurryMs: 1_000,
  /** One question to one DNS server, and how often it is asked. */
  dnsTimeoutMs: 2_000,
  dnsTries: 2,
  /** A web server that starts waits so long for its first app servers before it accepts browsers, */
  firstServersWaitMs: 1_000,
  /** and looks so often whether they are there. */
  firstServersLookMs: 10,
  /** A server that a new file leaves out is looked at so often: whether it has answered what it had begun. */
  retiredLookMs: 1_000,
  /** That no server of a cluster takes requests is logged once in this time, with how often it happened. */
  complaintIntervalMs: 5_000,
} as const;

/** Balancing. */
export const balance = {
  /** `consistent-hash`: requests in flight of one server, in percent of the mean. */
  loadBoundPercent: 125,
  /** A server with fewer in flight is not passed over for having too many. */
  unboundedRequests: 4,
  /** Places of its table: primes. The first one is taken that has a hundred for each server; the smaller, the more of it is in the cache. */
  tableSizes: [65_537, 131_071, 262_147, 524_287],
  /** Places looked at for one that can take the request; then the servers are looked through. */
  tableStepsMax: 64,
  /** Servers whose requests in flight are counted with each choice. */
  countedPerChoice: 4,
  /** Servers that are compared for one choice. */
  comparedMax: 12,
  /** How long a server's time to answer is remembered: what is so old counts 37%. */
  latencyDecayMs: 10_000,
  /** Servers drawn at random for one that can take the request. */
  drawsMax: 16,
} as const;

/** Visitors that are kept at servers without sessions of ours. */
export const affinity = {
  /** A client's address is kept for so long after its last request. */
  addressKeptMs: 1_800_000,
  /** Of one cluster, in one process; the one whose last request is longest ago makes room. */
  addressesMax: 1_000_000,
  /** Servers have joined or left: for so long a worker that does not know an address leaves it where another one may know it. */
  settleMs: 2_000,
  /** Which addresses have moved is told to the other workers after so long, */
  tellMs: 20,
  /** and so many at once; and so many are looked at in one turn of the event loop. */
  addressesAtOnceMax: 4_096,
  /** Cookies of one name that are looked at. */
  cookiesLookedAtMax: 4,
} as const;

/** What is asked of servers again and again (polling.ts). */
export const polling = {
  /** First questions are spread over so long, or over their interval where that is shorter. */
  firstWithinMs: 1_000,
  /** An interval is longer or shorter by up to this share of it, so that many web servers do not ask in step. */
  jitterShare: 0.1,
  /** While a question is open, it is looked so often whether our own process stands still, */
  lookIntervalMs: 100,
  /** which a look that is so late tells: answers that are waited for judge nobody then. */
  ownPauseMs: 300,
} as const;

/** Active checks, of the main process of a web server. */
export const checks = {
  /** Of an answer, its body: what is behind is not read. */
  bodyBytesMax: 16_384,
  /** Checks that are under way; with more servers, those that do not answer make the others wait. */
  atOnceMax: 512,
} as const;

/** Whether servers are well. */
export const serverHealth = {
  checkIntervalMs: 2_000,
  checkTimeoutMs: 1_000,
  rise: 2,
  fall: 3,
  /** A server that is new or came back gets its full share only after so long. */
  slowStartMs: 10_000,
  /** Requests that may be sent once more, in percent of those of the last ten seconds, */
  retryBudgetPercent: 20,
  retryWindowMs: 10_000,
  /** and so many in each of them: a quiet site has no percents. */
  retriesPerSecondMin: 10,
  /** What a server that answers nobody was sent first goes elsewhere so long after the rest: it may be what blocks it. */
  oldestMovesAfterMs: 200,
  /** Those that could not move are looked at again so often. */
  parkedLookMs: 1_000,
  /** The share with which slow start begins, and the steps in which it grows. */
  slowStartShare: 0.1,
  slowStartSteps: 20,
  /** Recover times are longer by up to this share, so that many web servers do not try a server in step. */
  recoverJitterShare: 0.1,
  /** Judged again and again, a server is tried after 1, 2, then this many recover times; */
  recoverFactorMax: 4,
  /** after so long without, it begins anew. */
  calmMs: 60_000,
  /** Servers that have something to answer are looked at so often. */
  lookIntervalMs: 50,
  /** A look that is so late tells that our own process stood still: that time is not held against anybody. */
  ownPauseMs: 100,
  /** Waiting requests of one server that one look goes through, the oldest first. */
  waitingLooksMax: 256,
  /** Suspect: so many wait and nothing came for so long, or for longer than its answers usually take. */
  suspectWaiting: 2,
  suspectAfterMs: 100,
  /** With fewer that wait: policies that compare servers send no second one. */
  suspectAloneAfterMs: 500,
  /** A suspect server gets one request so often, which may clear it. */
  suspectTrialMs: 250,
  /** Stalled: so many wait, and nothing came for so long or for twice what its answers usually take. */
  stalledWaiting: 3,
  stalledAfterMs: 800,
  /** What tries it, and is not answered: so much that chance explains it less often than this, and no more than so much. */
  stalledByChance: 0.001,
  stalledTrialsMax: 64,
  /** Outcomes of requests count for so long, */
  outcomeWindowMs: 10_000,
  outcomeSlotMs: 1_000,
  /** from so many of a server on others are compared with it; one with fewer failures is not judged. */
  outcomesMin: 5,
  failuresMin: 5,
  /** Of a server's last 32 outcomes more are failures than twice the usual share of the others, and this share. */
  failureShareAbove: 0.3,
  /** Lines in the log about one server's changes, in so long. */
  changeLinesMax: 8,
  changeLinesMs: 60_000,
} as const;

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
  /** That sessions had to make room is logged once in this time. */
  complaintIntervalMs: 60_000,
  /** That requests were refused because their sessions could not be loaded is logged once in this time. */
  refusedComplaintIntervalMs: 5_000,
  /** `session.update` runs its function so often, when others change the key each time meanwhile. */
  updateTriesMax: 200,
  /** An update waits so long for the one before in the same process. */
  updateTurnMs: 2_000,
  /** Cookies of one name of which the signature is looked at; a client can't make us hash a whole head full. */
  cookiesVerifiedMax: 4,
} as const;

/** What operators do with sessions: `flotilla sessions`. */
export const sessionAdmin = {
  /** Going over many sessions gives way to other events after so long. */
  turnMs: 5,
  /** Sessions in one answer, about: one more may be as large as a session can be. */
  pageBytes: 262_144,
  /** An answer is given after so long at the latest, however little it found. */
  pageMs: 500,
  /** Of sessions that end in one question. */
  keysMax: 512,
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
  /** Unfinished files of exports that were killed, removed by the next one. */
  unfinishedMax: 16,
} as const;

/** Sessions that an orderly stop writes to disk. */
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

/** The file. */
export const config = {
  fileBytesMax: 1_048_576,
  /** A page under errorPages: or maintenance:. */
  pageBytesMax: 65_536,
  errorPagesMax: 64,
  /** A file named by ${file:...}. */
  includedBytesMax: 65_536,
  serversPerClusterMax: 62,
  processesMax: 62,
  weightMax: 1_000,
  secretBytesMin: 32,
  /** Keys and values of the file, those behind an alias counted at every use. */
  nodesMax: 20_000,
  /** Sections within sections. */
  depthMax: 32,
  /** Mistakes told at once. */
  problemsMax: 100,
} as const;

/** The processes of one web server. */
export const workers = {
  workersMax: 128,
  /** From its start until it takes requests; one that takes longer is killed. */
  readyTimeoutMs: 30_000,
  /** Each is asked so often how it is. */
  reportIntervalMs: 500,
  /** And has so long to answer when somebody wants to know now. */
  reportTimeoutMs: 200,
  /** One that has not answered for so long is stuck: `/livez` says so. */
  stuckAfterMs: 5_000,
  /** And is killed after so long. */
  stuckKillMs: 30_000,
  /** A replaced worker keeps idle connections for so long, so that a request on its way finds one. */
  idleDrainMs: 2_000,
  /** Without the process that holds their ports they end after so long. */
  orphanDrainMs: 1_000,
  /** Replaced generations that still drain; then the oldest is cut. */
  drainingMax: 4,
} as const;

/** What servers and agents report of their load; docs/load.md says why. */
export const load = {
  /** An app server looks at itself, and tells each web server, so often while it has requests, */
  reportIntervalMs: 250,
  /** so often without, */
  idleReportIntervalMs: 1_000,
  /** and beside an answer when the last report is so old. */
  answerReportMs: 25,
  /** A web server's processes that one app server reports to. */
  readersMax: 4_096,
  /** One report, or the text behind an agent's answer. */
  recordBytesMax: 512,
  /** Reports on their way to a web server that stands still. */
  windowBytes: 4_096,
  /** Averages over about so long; the run queue, of which a process sees a sample now and then, over longer. */
  smoothingMs: 1_000,
  queueSmoothingMs: 3_000,
  /** An event loop that came later counts as so late. */
  lateMsMax: 1_000,
  /** Older figures count as unknown. */
  expireMs: 3_000,
  /** No server counts as slower. */
  slownessMax: 20,
} as const;

/** `flotilla agent`, and questions to agents. */
export const agent = {
  port: 6_801,
  /** It looks at the run queue so often. */
  lookIntervalMs: 100,
  /** At once; one more has the oldest closed. */
  visitorsMax: 64,
  /** From the connection to its end. */
  visitMs: 1_000,
  /** What a visitor may send, unread, before it is closed. */
  visitorBytesMax: 4_096,
  /** "ready" is said for so long after a start, and after the end of a drain: HAProxy asks every 2 s. */
  readyMs: 60_000,
  /** Of --state. */
  stateBytesMax: 256,
  /** One answer, and what of it may be text. */
  lineBytesMax: 1_024,
  textBytesMax: 512,
  /** That visitors were refused is logged once in this time. */
  complaintIntervalMs: 60_000,
  /** A web server asks each agent so often, give or take a tenth, */
  askIntervalMs: 1_000,
  /** and waits so long for the whole answer. */
  askTimeoutMs: 1_000,
  /** Questions that are open. */
  askedAtOnceMax: 512,
} as const;

/** The listener of `health:`. */
export const health = {
  connectionsMax: 64,
  headBytesMax: 4_096,
  timeoutMs: 2_000,
} as const;

/** Programs started by run: */
export const supervise = {
  restartMinMs: 100,
  restartMaxMs: 15_000,
  /** Up for so long: the next restart is immediate again. */
  stableAfterMs: 10_000,
  /** Deaths in a row before "crash loop" is said, once. */
  crashLoopDeaths: 5,
  drainTimeoutMs: 30_000,
  /** After the drain time, before SIGKILL: a program that has a drain time of its own comes first. */
  killGraceMs: 1_000,
  /** One that is late but keeps sessions which are not on disk yet is not killed; it is asked again after so long. */
  holdingIntervalMs: 1_000,
  /** And killed when it has left so many questions in a row unanswered: syncing half a gigabyte takes a disk seconds, in which it can't answer. */
  unansweredMax: 10,
  /** A signal that comes again within this time is an echo: of a shell, or npm, that passes on what its whole group was sent. */
  signalEchoMs: 200,
  /** Told a second time to stop, an app server hands sessions over for so long; then it writes them to disk. */
  hurriedHandoverMs: 2_000,
  /** And is killed after so long, unless it is writing them. */
  hurriedDrainMs: 5_000,
  /** Told a third time: for a last word, before SIGKILL. */
  lastWordMs: 500,
  /** After SIGKILL, before `stop` says that a process could not be ended. */
  killedWaitMs: 3_000,
  /** For the last output of a program that has ended: something that left its group may hold it open for ever. */
  lastOutputWaitMs: 100,
  outputLineBytesMax: 16_384,
  /** A line without an end is shown after so long. */
  outputPartialAfterMs: 250,
  /** Sockets that a service manager hands over. */
  descriptorsMax: 256,
  /** For telling the service manager something. */
  notifyTimeoutMs: 5_000,
  /** A supervisor asks its servers so often whether they are up, while a service manager waits for that. */
  upIntervalMs: 250,
  /** And says after so long at the latest that they are. Less than systemd's TimeoutStartSec, 90 s. */
  upTimeoutMs: 60_000,
  /** Last lines of a program's output, told with a crash loop. */
  /** Of a line that `restart` shows. */
  toldLineMax: 500,
  lastLinesMax: 5,
} as const;

/** Programs that know nothing of Flotilla (app-tier/attach.ts). */
export const attach = {
  /** An http.Server that listens elsewhere than on $PORT waits so long for one that does: a program opens a database before it listens. */
  otherServersWaitMs: 1_000,
  /** A program that has not opened its cluster port by then is told of, once per start. */
  noticeAfterMs: 10_000,
  /** `attach: false`: between two looks at whether the program listens on PORT. */
  askIntervalMs: 50,
} as const;

/** Questions to servers and supervisors, and what is known of them on disk. */
export const admin = {
  questionBytesMax: 4_096,
  /** Of what a question holds beyond that: sessions that are put back, one of the largest size with every character escaped. */
  contentBytesMax: 8_388_608,
  answerBytesMax: 1_048_576,
  /** One server looks at the new place of the register, or moves it there: a few reads and changes with their tries. */
  moveTimeoutMs: 15_000,
  /** `status` gives up on a server after so long. With its own start and its printing that is 2 s on a machine at rest. */
  statusTimeoutMs: 1_000,
  /** A start of `status` that took longer is told: who is asked on such a machine may be as slow. */
  statusSlowStartMs: 1_000,
  stopTimeoutMs: 2_000,
  /** `upgrade`: longer than new workers may take until they are ready. */
  upgradeTimeoutMs: 40_000,
  /** `reload`: new listeners, names and certificates are waited for. */
  reloadTimeoutMs: 40_000,
  /** Servers that have not ended are asked so often whether they keep sessions that they can't save. */
  holdingIntervalMs: 500,
  /** `start` waits so long for another one that is starting servers; longer than a web server takes to be up. */
  startTurnTimeoutMs: 10_000,
  runRecordsMax: 4_096,
  runRecordBytesMax: 65_536,
} as const;

/** What operators want of app servers (drain, maint, weight), and restarts one by one. */
export const operations = {
  /** A web server asks another one so often what operators told that one; by chance half of it more or less. */
  compareIntervalMs: 3_000,
  /** Servers that are out of service are told so again so often: they may have been started anew. */
  tellIntervalMs: 3_000,
  /** At the same time. */
  toldAtOnceMax: 32,
  /** The file of one web server. */
  fileBytesMax: 4_194_304,
  /** In one question. */
  namesMax: 64,
  /** Workers have so long to take an order up; one that has not is named. */
  inForceTimeoutMs: 2_000,
  /** An order at a web server, that included. */
  orderTimeoutMs: 4_000,
  waitIntervalMs: 200,
  /** On a terminal, what is waited for is told again at most so often. */
  progressIntervalMs: 2_000,
  /** `restart` says so often that it is still at work, and is taken for dead after so long. */
  turnRenewMs: 5_000,
  turnMs: 20_000,
  /** And waits so long for one server, unless told otherwise. */
  comeBackTimeoutMs: 60_000,
  /** A program that ended in order to be started again, and had been up for less than this, waits like one that died. */
  againAfterMs: 1_000,
} as const;

/** The PROXY protocol of balancers in front. */
export const proxyProtocol = {
  /** Version 2 with its extensions; version 1 has 107 bytes at most. */
  headerBytesMax: 4_096,
  /** That connections were refused is logged once in this time. */
  complaintIntervalMs: 60_000,
} as const;

/** Answers that the web tier compresses. */
export const compression = {
  /** Shorter bodies gain nothing. */
  bytesMin: 1_024,
  /** At work at once, per process; further answers are sent as they are. One takes 0.3 MiB (gzip) to 1.2 MiB (zstd, br). */
  encodersMax: 128,
  /** What an encoder that is at work is given next. */
  gatherBytesMax: 65_536,
} as const;

/** Routes of the web tier. */
export const route = {
  /** Clients whose rate of requests one route remembers: about 10 MiB when they are all different. */
  rateLimitClientsMax: 65_536,
  /** Parameters of a query that a route looks at; what comes behind them is not seen by routes. */
  queryParametersMax: 100,
  /** Bodies that are taken whole, on the disk, per process; a request whose body finds no room is answered 503. */
  bufferedDiskBytesMax: 4_294_967_296,
  /** Of one such body, on its way to the disk: its client has to wait. */
  bufferedWaitingBytesMax: 262_144,
} as const;

/** Files that the web tier sends itself. */
export const files = {
  /** Of a name below the folder; Linux opens no longer one (PATH_MAX). */
  nameCharactersMax: 4_096,
  /** Kept open for the next request, per process. */
  cachedMax: 1_024,
  /** Open at once, those that are being sent included; a request for one more is answered 503. */
  openMax: 4_096,
  /** A file that is kept open is looked at again after so long. */
  recheckMs: 1_000,
  /** That a file could not be read is logged once in this time. */
  complaintIntervalMs: 5_000,
} as const;

/** Buffers that are used again (slabs.ts). */
export const slabs = {
  slabBytes: 65_536,
  /** Kept for the next time, per process. */
  spareMax: 64,
} as const;

/** Access lines on their way to the disk. */
export const accessLog = {
  gatherBytes: 65_536,
  bufferBytesMax: 8_388_608,
  flushIntervalMs: 1_000,
  /** A disk that is full, or does not follow, is told once in this time. */
  troubleIntervalMs: 60_000,
} as const;
