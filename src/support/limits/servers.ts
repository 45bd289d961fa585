/** How app servers and plain servers are reached, chosen, and judged. */

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

/** Active checks, of the main process of a web server. */
export const checks = {
  /** Of an answer, its body: what is behind is not read. */
  bodyBytesMax: 16_384,
  /** Checks that are under way; with more servers, those that do not answer make the others wait. */
  atOnceMax: 512,
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
