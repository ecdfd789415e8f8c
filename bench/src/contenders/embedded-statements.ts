/** Counts the statements that embedded databases of this process execute, where the server has pg_stat_statements. */
import { PGlite } from "@electric-sql/pglite";

/** First bytes of protocol messages that execute one: a simple query, and the execution of a prepared one. */
const executions = new Set(["Q", "E"].map((letter) => letter.charCodeAt(0)));

/** Answers with how many there were since. What the program does must have no other way to the database. */
export function countEmbeddedStatements(): () => number {
  let count = 0;
  const { execProtocolRawSync } = PGlite.prototype;
  PGlite.prototype.execProtocolRawSync = function counted(message: Uint8Array): Uint8Array {
    for (let at = 0; at + 5 <= message.length; ) {
      if (executions.has(message[at] ?? 0)) count++;
      const length = new DataView(message.buffer, message.byteOffset + at + 1, 4).getUint32(0);
      at += 1 + length;
    }
    return execProtocolRawSync.call(this, message);
  };
  return () => count;
}
