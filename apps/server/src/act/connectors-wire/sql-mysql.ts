import type { Socket } from "node:net";
import mysql from "mysql2";
import { storableJson, storableText } from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import { collector, type SqlProgress, SqlRefusal, type SqlRows, type SqlTask } from "./sql-config.ts";

/**
 * Runs one statement over the given socket, as a prepared statement. A read runs in a read-only transaction.
 * Rejects with SqlRefusal for what the database refuses, and with whatever broke the connection.
 */
export async function runMysql(socket: Socket, task: SqlTask, progress: SqlProgress): Promise<SqlRows> {
  const { settings } = task.context.connection;
  const connection = mysql.createConnection({
    stream: socket,
    host: settings.host,
    user: settings.user,
    password: task.password,
    database: settings.database,
    ...(settings.tls === "off"
      ? {}
      : {
          ssl: {
            rejectUnauthorized: true,
            verifyIdentity: true,
            ...(settings.ca === undefined ? {} : { ca: settings.ca }),
          },
        }),
    multipleStatements: false,
    flags: ["-LOCAL_FILES"],
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: false, // text only where a number would lose digits
  });
  const broken = new Promise<never>((_, reject) => {
    connection.on("error", reject);
    socket.on("close", () => reject(new Error("the database closed the connection")));
  });
  broken.catch(() => undefined);
  const send = (text: string): Promise<unknown> =>
    new Promise((done, reject) =>
      connection.query(text, (error: Error | null) => (error === null ? done(undefined) : reject(error))),
    );
  try {
    const work = async (): Promise<SqlRows> => {
      await send("set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'");
      await send(task.read ? "start transaction read only" : "start transaction");
      progress.committing = !task.read; // tables without transactions, and definitions, take effect at once
      const rows = await stream(connection, task);
      if (!rows.truncated || !task.read) await send("commit");
      return rows;
    };
    return await Promise.race([work(), broken]);
  } catch (error) {
    throw asRefusal(error);
  } finally {
    socket.destroy();
  }
}

interface Header {
  readonly affectedRows: number;
}

/** Reads beyond the caps are cut by leaving; a change is read to its end, so that it can be committed. */
function stream(connection: mysql.Connection, task: SqlTask): Promise<SqlRows> {
  return new Promise((resolve, reject) => {
    const kept = collector(task.context.connection.settings);
    let columns: string[] = [];
    let changed: number | undefined;
    const result = (): SqlRows => ({
      columns,
      rows: kept.rows,
      rowCount: changed ?? kept.rows.length,
      truncated: kept.truncated(),
    });
    const query = connection.execute({ sql: task.statement, rowsAsArray: true }, [...task.parameters]);
    query.on("error", reject);
    query.on("fields", (fields: readonly { readonly name: string }[] | undefined) => {
      columns = (fields ?? []).map((field) => storableText(field.name));
    });
    query.on("result", (row: unknown[] | Header) => {
      if (!Array.isArray(row)) changed = row.affectedRows;
      else if (!kept.add(Object.fromEntries(columns.map((name, i) => [name, jsonOf(row[i])]))) && task.read)
        resolve(result());
    });
    query.on("end", () => resolve(result()));
  });
}

/** Numbers where JSON holds them exactly; dates and decimals are MySQL's own text, bytes are base64. */
function jsonOf(value: unknown): Json {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  const made = storableJson(value, (text) => text);
  return made === undefined ? String(value) : made;
}

function asRefusal(error: unknown): unknown {
  if (!(error instanceof Error) || !("sqlState" in error) || typeof error.sqlState !== "string") return error;
  return new SqlRefusal(error.sqlState, error.message, { cause: error });
}
