/** `flotilla/session/mysql` with real servers of MariaDB in trouble, and in the hands of others. */
import mysql from "mysql2/promise";
import { mysqlStore } from "../../src/session/stores/mysql/index.ts";
import { Mariadb, whyNoMariadb } from "../harness/mariadb.ts";
import { describeSqlTroubles, type SqlKind } from "./sql-troubles.ts";

const kind: SqlKind<Mariadb> = {
  name: "MariaDB",
  skip: whyNoMariadb() ?? false,
  start: () => Mariadb.start(),
  connect: (server, port, table) =>
    mysqlStore({ url: server.url().replace(`:${server.port}/`, `:${port}/`), table }),
  async hold(server, table, key) {
    const connection = await mysql.createConnection(server.url());
    await connection.query("START TRANSACTION");
    await connection.query(`SELECT 1 FROM ${table} WHERE id = ? FOR UPDATE`, [key]);
    return async () => connection.destroy();
  },
  async waiting(server) {
    const rows = await server.sql(
      "SELECT COUNT(*) AS number FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'",
    );
    return Number(rows[0]!.number);
  },
  async connections(server) {
    const rows = await server.sql(
      "SELECT COUNT(*) AS number FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER = 'root'",
    );
    return Number(rows[0]!.number);
  },
  change: /UPDATE/,
};

describeSqlTroubles(kind);
