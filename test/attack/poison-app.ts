/** An application with a request that blocks its whole process: `/poison` is written down, then nothing else happens for 3 s. */
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import { serve } from "../../src/app-tier/index.ts";

/** Outside a cluster it is a plain HTTP server, on PORT. */
const name = process.env.FLOTILLA_SERVER ?? process.env.NAME!;

await serve(
  createServer((request, response) => {
    if (request.url === "/poison") {
      appendFileSync("poisoned", `${name}\n`);
      for (const end = performance.now() + 3_000; performance.now() < end; );
    }
    response.end(name);
  }),
);
