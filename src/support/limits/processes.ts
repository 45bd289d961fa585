/** The file, the processes that it describes, and what operators ask of them. */

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
  lastLinesMax: 5,
  /** Of a line that `restart` shows. */
  toldLineMax: 500,
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

/** The listener of `health:`. */
export const health = {
  connectionsMax: 64,
  headBytesMax: 4_096,
  timeoutMs: 2_000,
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
