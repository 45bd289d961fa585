/** Session stores on databases (session/stores). Operations have `session.commitTimeoutMs` in all. */

export const sessionStores = {
  /** A session in use is touched in its database so often, or after this share of its idle timeout when that is less. */
  touchIntervalMsMax: 60_000,
  touchIntervalShare: 0.1,
  /** Touches are gathered for so long, and so many go in one statement. */
  touchGatherMs: 500,
  touchedAtOnceMax: 500,
  /** Touches that wait while a database is down; of more sessions it is not told that they were used. */
  touchesMax: 100_000,
  /** They are tried again after so long. */
  touchRetryMs: 1_000,
  /** Statements of one process under way: the pool of connections has them wait where it is smaller. */
  underWayMax: 100,
  /** More wait here; above, they are refused at once. */
  waitingMax: 10_000,
  /** Operations under way and waiting, of all sessions and of one; and the values in them. */
  operationsMax: 20_000,
  operationsPerSessionMax: 1_000,
  operationBytesMax: 67_108_864,
  /** Deadlines are looked at so often. */
  tickMs: 100,
  /** A process that stood still for so long looks once more before it calls its database slow: answers may wait unread. */
  ownPauseMs: 300,
  /** A statement that was given up is taken to be gone after so long, and another one may take its place. */
  abandonedMs: 30_000,
  /** Failures in a row, of whichever sessions: so many statements without an answer and the database counts as down. */
  failuresMax: 5,
  /** While it is down one trial is made after so long, later ones after longer; each time by half more or less. */
  trialMs: 250,
  trialMsMax: 2_000,
  trialTimeoutMs: 2_000,
  /** The start of a server waits so long for it. */
  openWaitMs: 5_000,
  /** An operation that failed at once is tried again so often, after so long, twice that, ... */
  retriesMax: 2,
  retryMs: 20,
  /** A change is merged with those of other processes so often, with a short pause each time; `commitTimeoutMs` ends it earlier. */
  mergesMax: 100,
  mergePauseMs: 4,
  /** Sessions that one process has in memory as it read or wrote them last, and their bytes as stored. */
  copiesMax: 50_000,
  copiesBytesMax: 67_108_864,
  /** Of changes with unknown outcome it is remembered that they may still be made. */
  unsureMax: 10_000,
  /** No copy is served unless all changes were told that others made up to so long ago. */
  proofAgeMsMax: 3_000,
  /** A way for notices that proves nothing for so long is given up, and another one opened after `listenAgainMs`, by half more or less. */
  proofTimeoutMs: 10_000,
  listenAgainMs: 1_000,
  /** That it is broken is told when it is for so long. */
  deafComplaintMs: 5_000,
  /** Ended rows are removed so often by each process, by half more or less, so many at once; while there are more, after a pause. */
  cleanIntervalMs: 60_000,
  cleanedAtOnceMax: 1_000,
  cleanPauseMs: 200,
  /** Connections of each process, unless the file or the application says otherwise; and what the file may say. */
  connections: 10,
  connectionsMax: 1_000,
} as const;

/** Sessions in Redis (session/stores/redis). */
export const redisStores = {
  /** With TLS and password. */
  connectTimeoutMs: 2_000,
  /** Without a connection the next try comes after so long, twice as long each time up to the other. */
  reconnectMinMs: 50,
  reconnectMaxMs: 1_000,
  /** A connection is looked at so often: one that is idle is asked whether it lives, */
  lookIntervalMs: 500,
  /** and one that owes an answer for so many looks is given up. A busy process of ours counts once however long it was busy. */
  silentLooksMax: 6,
  proveTimeoutMs: 3_000,
  /** Sessions that one script touches: Redis does nothing else meanwhile. */
  touchedAtOnceMax: 100,
  /** Keys that one step of a SCAN looks at. */
  scannedAtOnce: 1_000,
  /** Keys that a list for operators keeps in order between its pages; it goes over all keys once for so many. */
  listedKeysMax: 100_000,
  listedKeptMs: 60_000,
  /** Of what Redis says. */
  messageCharactersMax: 300,
} as const;

/** PostgreSQL, and MySQL with MariaDB (session/stores/sql). */
export const sqlStores = {
  /** To one host, with TLS and password, or for a connection of the pool to be free; nothing was asked until then. */
  connectTimeoutMs: 1_500,
  /** One statement. A commit may wait for a busy disk. */
  statementTimeoutMs: 2_000,
  /**
   * Of that time, a row that another session of the database holds is waited for so long; by PostgreSQL, where others wait for it too, up to
   * twice as long: in the queue, and then for the row.
   */
  lockWaitMs: 800,
  /** Operations that wait for a connection; one more is refused. */
  waitingMax: 10_000,
  /** Connections that were found dead together, dropped before one operation. */
  droppedAtOnceMax: 1_000,
  /** A connection that nobody needed for so long is closed, */
  idleMs: 60_000,
  /** and a host that is gone without a word is found out. */
  keepAliveMs: 5_000,
  /** A pool that ends waits so long for its connections. */
  endTimeoutMs: 3_000,
  /** When a row may be cleaned away is rounded up to so much of its idle timeout and to this, so that most writes leave the index alone. */
  cleaningShare: 0.1,
  cleaningStepMsMax: 300_000,
  /** Rows whose idle timeout is shorter are cleaned away when they have ended. */
  cleaningExactMs: 60_000,
  /** A table of MySQL that was dropped is made anew, tried so often. */
  remakeIntervalMs: 1_000,
  /** Connections to MySQL whose user lacks a right are made anew, so often, for he may have it by now. */
  renewIntervalMs: 1_000,
  /** Keys in one statement of MySQL that names each. */
  keysAtOnceMax: 250,
  /** MySQL calls nobody: it is asked for notices so often, */
  noticeIntervalMs: 250,
  /** and who has so many to read begins anew. */
  noticesAtOnceMax: 1_000,
  /** Notices that nobody has read for so long are of a holder who is gone, */
  noticesKeptMs: 600_000,
  /** and so is a listener who was not seen for so long; one that lives is seen so often. */
  listenersKeptMs: 86_400_000,
  listenerSeenMs: 3_600_000,
  /** Such holders that are forgotten at a time. */
  lateHoldersMax: 20,
  /** Of what a server says. */
  messageCharactersMax: 300,
} as const;
