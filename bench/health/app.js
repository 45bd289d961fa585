// The application of the drill: says who answered what, and falls ill when it is told to. It counts the requests that reach
// it. As a server of a cluster it serves there; else it listens on PORT.
import { createServer } from "node:http";
import { hrtime } from "node:process";

/** An answer takes so long, without work (WAIT_MS), or with it (CPU_US). */
const waitMs = Number(process.env.WAIT_MS ?? 0);
const cpuUs = Number(process.env.CPU_US ?? 0);
/** For so long after its start each answer takes this time. */
const slowForMs = Number(process.env.SLOW_FOR_MS ?? 0);
const slowMs = Number(process.env.SLOW_MS ?? 0);
const name = process.env.NAME;
const startedAt = hrtime.bigint();

let illness = "none";
/** The numbers of requests that came. */
const arrivals = [];
/** What is to be done when the work before it is. */
const waiting = [];

function answer(req, res) {
  const number = /^\/n\/(\d+)$/.exec(req.url)?.[1] ?? null;
  if (number !== null) arrivals.push(Number(number));
  // Asked, and never heard of again: the answer is lost, the process is as lively as ever.
  if (illness === "mute") return;
  res.setHeader("X-Served-By", name);
  let length = 0;
  req.on("data", (chunk) => {
    length += chunk.length;
  });
  req.on("end", () => {
    if (illness === "erring") res.statusCode = 500;
    const isSlow = Number(hrtime.bigint() - startedAt) / 1e6 < slowForMs;
    const end = () => res.end(`${number} ${req.method} ${length}`);
    if (cpuUs > 0) workThen(end);
    else setTimeout(end, isSlow ? slowMs : waitMs);
  });
}

/** One piece of work per turn of the event loop, as in a program that waits for its database in between. */
function workThen(end) {
  if (waiting.push(end) === 1) setImmediate(workOnce);
}

function workOnce() {
  burn(cpuUs);
  waiting.shift()();
  if (waiting.length > 0) setImmediate(workOnce);
}

/** Work, not waiting: a process that gets less of its core takes longer. */
function burn(us) {
  const before = process.threadCpuUsage();
  for (;;) {
    const { user, system } = process.threadCpuUsage(before);
    if (user + system >= us) return;
  }
}

process.on("message", (order) => {
  if (order === "arrivals") process.send({ arrivals });
  else illness = order;
});
// Whoever started it is gone.
process.on("disconnect", () => process.exit(0));

if (process.env.FLOTILLA_SERVER) {
  const { serve } = await import("flotilla/app");
  await serve(answer);
} else {
  const server = createServer(answer);
  // Longer than any proxy keeps an idle connection, so that none meets a closing one.
  server.keepAliveTimeout = 75_000;
  await new Promise((resolve) => server.listen(Number(process.env.PORT), "127.0.0.1", resolve));
}
process.send("ready");
