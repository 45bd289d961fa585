/** `flotilla/session/postgres` with real servers: the rules of all engines, and what only PostgreSQL has. */
import { after, before, describe } from "node:test";
import {
  type EngineSuite,
  engineConformance,
  sessionConformance,
} from "../../src/session/conformance/index.ts";
import { postgresStore } from "../../src/session/stores/postgres/index.ts";
import { Postgres, whyNoPostgres } from "../harness/postgres.ts";

const skip = whyNoPostgres() ?? false;

describe("PostgreSQL", { skip }, () => {
  let server: Postgres;
  let tables = 0;
  before(async () => {
    server = await Postgres.start();
  });
  after(() => server.remove());

  for (const dataType of ["text", "jsonb", "bytea"] as const) {
    const suite: EngineSuite = {
      name: `PostgreSQL, ${dataType},`,
      isOtherDataType: dataType !== "text",
      waitingRulesAtOnce: 4,
      ...(dataType === "jsonb" && { cannotHold: ["nul", "lone surrogates"] as const }),
      async open() {
        const table = `sessions_${++tables}`;
        return {
          connect: () => postgresStore({ url: server.url(), table, dataType }),
          end: () => server.sql(`DROP TABLE IF EXISTS ${table}`).then(() => {}),
        };
      },
    };
    engineConformance(suite);
    if (dataType === "text") sessionConformance(suite);
  }
});
