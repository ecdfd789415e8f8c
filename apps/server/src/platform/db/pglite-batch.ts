/**
 * Batches on the embedded database: named prepared statements in one buffer of the protocol, with one Sync at
 * its end, which makes them one transaction. Only answers that say so to the last one count as written.
 *
 * Measured against a transaction with a query for each statement: a lone run 0.9 ms instead of 4.9 ms, 1,024 runs
 * at once 9,900 a second instead of 2,500.
 */
import { messages, type PGlite, protocol } from "@electric-sql/pglite";
import { type BatchStatement, isPlanStale } from "./port.ts";

const { serialize } = protocol;

/**
 * The committer only touches rows by key; a plan made while tables are small must stay right when they grow.
 * The session is everybody's, so this holds for the transaction alone.
 */
const byKey: BatchStatement = {
  name: "db.byKey",
  text: `/* db.byKey */ select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)`,
  values: [],
};

export function batchesOf(pglite: PGlite): (statements: readonly BatchStatement[]) => Promise<void> {
  const prepared = new Map<string, string>();
  /** In nobody's open transaction and beside nobody's query: PGlite takes these two locks in this order, too. */
  const exclusive = <T>(fn: () => Promise<T>): Promise<T> =>
    pglite._runExclusiveTransaction(() => pglite._runExclusiveQuery(fn));

  const run = async (statements: readonly BatchStatement[]): Promise<void> => {
    if (pglite.closed) throw new Error("the connection to the embedded database is closed");
    const { buffer, fresh } = toMessages(statements, prepared);
    const answer = await pglite.execProtocol(buffer, { throwOnError: false });
    let parsed = 0;
    let done = 0;
    for (const message of answer.messages) {
      if (message.name === "parseComplete") {
        const statement = fresh[parsed++];
        if (statement) prepared.set(statement.name, statement.text);
      } else if (message.name === "commandComplete" || message.name === "emptyQuery") done++;
      else if (message instanceof messages.DatabaseError)
        throw Object.assign(message, { statement: statements[done]?.name });
    }
    if (done !== statements.length || answer.messages.at(-1)?.name !== "readyForQuery")
      throw new Error(`the embedded database answered ${done} of ${statements.length} statements`);
  };

  return (statements) =>
    exclusive(async () => {
      const all = [byKey, ...statements];
      try {
        await run(all);
      } catch (error) {
        if (!isPlanStale(error)) throw error;
        prepared.clear(); // nothing of the batch was written
        await run(all);
      }
    });
}

function toMessages(
  statements: readonly BatchStatement[],
  prepared: ReadonlyMap<string, string>,
): { buffer: Buffer; fresh: BatchStatement[] } {
  const parts: Uint8Array[] = [];
  const fresh: BatchStatement[] = [];
  for (const statement of statements) {
    const { name, text } = statement;
    if (prepared.get(name) !== text && !fresh.some((s) => s.name === name && s.text === text)) {
      parts.push(serialize.close({ type: "S", name }), serialize.parse({ name, text }));
      fresh.push(statement);
    }
    const values = statement.values.map((value) => (value === null ? null : String(value)));
    parts.push(serialize.bind({ statement: name, values }), serialize.execute({}));
  }
  parts.push(serialize.sync());
  return { buffer: Buffer.concat(parts), fresh };
}
