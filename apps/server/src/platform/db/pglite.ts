/**
 * Embedded driver: PGlite, PostgreSQL in WebAssembly inside this process. One session, one transaction at
 * a time; a query blocks the thread for as long as it runs. Runs with fsync off: it survives a killed
 * process, not a loss of power.
 */
import type { PGlite, Transaction } from "@electric-sql/pglite";
import { carryHere, createChannels } from "./channels.ts";
import { batchesOf } from "./pglite-batch.ts";
import type { Db, Driver, Scope } from "./port.ts";
import type { Sql } from "./sql.ts";

export function overPglite(pglite: PGlite, onError: (error: Error) => void = () => {}): Driver {
  const over = (tx: Transaction | PGlite): Db => ({
    query: async <Row>(s: Sql) => (await tx.query<Row>(s.text, s.values as unknown[])).rows, // not written to
  });
  const enter = (scope: Scope, db: Db): Promise<unknown> =>
    scope === "system"
      ? Promise.resolve()
      : db.query({
          text: "select set_config('app.tenant', $1, true), set_config('role', 'oars_app', true)",
          values: [scope.tenantId],
        });
  const transaction: Driver["transaction"] = (scope, fn) =>
    pglite.transaction(async (tx) => {
      const db = over(tx);
      await enter(scope, db);
      return fn(db);
    });
  const batch = batchesOf(pglite);
  return {
    kind: "pglite",
    lanes: 1,
    channels: createChannels(carryHere, onError),
    query: (statement) => over(pglite).query(statement),
    transaction,
    snapshot: transaction,
    tidy: async (tables) => {
      for (const table of tables) {
        if (!/^[a-z_]+$/.test(table)) throw new Error(`${table} is no table name`);
        await pglite.exec(`vacuum (analyze) ${table}`); // takes no parameters; the name is checked
      }
    },
    batch: (_lane, statements) => batch(statements),
    close: () => pglite.close(),
  };
}
