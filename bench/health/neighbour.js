// A busy neighbour: does nothing but use its core, until whoever started it is gone.
import { isMainThread, Worker } from "node:worker_threads";

if (isMainThread) {
  new Worker(new URL(import.meta.url));
  process.on("disconnect", () => process.exit(0));
} else {
  for (;;);
}
