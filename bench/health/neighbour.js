// A busy neighbour: so many threads that do nothing but use their core, until whoever started it is gone.
import { isMainThread, Worker } from "node:worker_threads";

if (isMainThread) {
  for (let count = Number(process.argv[2]); count > 0; count--) new Worker(new URL(import.meta.url));
  process.on("disconnect", () => process.exit(0));
} else {
  for (;;);
}
