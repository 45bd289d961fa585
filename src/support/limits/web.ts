/** What browsers may send and what is sent to them: HTTP, TLS, routes, files, the access log. */

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

/** The PROXY protocol of balancers in front. */
export const proxyProtocol = {
  /** Version 2 with its extensions; version 1 has 107 bytes at most. */
  headerBytesMax: 4_096,
  /** That connections were refused is logged once in this time. */
  complaintIntervalMs: 60_000,
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

/** Answers that the web tier compresses. */
export const compression = {
  /** Shorter bodies gain nothing. */
  bytesMin: 1_024,
  /** At work at once, per process; further answers are sent as they are. One takes 0.3 MiB (gzip) to 1.2 MiB (zstd, br). */
  encodersMax: 128,
  /** What an encoder that is at work is given next. */
  gatherBytesMax: 65_536,
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
