/** `flotilla/session/mysql` with real servers of MariaDB: the rules of all engines, and what only MySQL and MariaDB have. */
import { after, before, describe } from "node:test";
import {
  type EngineSuite,
  engineConformance,
  sessionConformance,
} from "../../src/session/conformance/index.ts";
import { mysqlStore } from "../../src/session/stores/mysql/index.ts";
import { Mariadb, whyNoMariadb } from "../harness/mariadb.ts";

const skip = whyNoMariadb() ?? false;

describe("MariaDB", { skip }, () => {
  let server: Mariadb;
  let tables = 0;
  before(async () => {
    server = await Mariadb.start({
      settings: ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"],
    });
  });
  after(() => server.remove());

  for (const dataType of ["longtext", "longblob", "json"] as const) {
    const suite: EngineSuite = {
      name: `MariaDB, ${dataType},`,
      isOtherDataType: dataType !== "longtext",
      waitingRulesAtOnce: 4,
      ...(dataType === "json" && { cannotHold: ["lone surrogates", "deep"] as const }),
      async open() {
        const table = `sessions_${++tables}`;
        return {
          connect: () => mysqlStore({ url: server.url(), table, dataType }),
          end: () => server.sql(`DROP TABLE IF EXISTS ${table}, ${table}_notices`).then(() => {}),
        };
      },
    };
    engineConformance(suite);
    if (dataType === "longtext") sessionConformance(suite);
  }
});
