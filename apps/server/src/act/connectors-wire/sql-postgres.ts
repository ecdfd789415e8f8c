import type { Socket } from "node:net";
import pg from "pg";
import { storableJson, storableText } from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import { collector, type SqlProgress, SqlRefusal, type SqlRows, type SqlTask } from "./sql-config.ts";

/**
 * Runs one statement in one transaction over the given socket. Rejects with SqlRefusal for what the database
 * refuses, and with whatever broke the connection.
 */
export async function runPostgres(socket: Socket, task: SqlTask, progress: SqlProgress): Promise<SqlRows> {
  const { settings } = task.context.connection;
  const client = new pg.Client({
    stream: () => connected(socket),
    host: settings.host,
    port: settings.port,
    database: settings.database,
    user: settings.user,
    password: task.password,
    ssl:
      settings.tls === "off"
        ? false
        : { rejectUnauthorized: true, ...(settings.ca === undefined ? {} : { ca: settings.ca }) },
    types: { getTypeParser: () => (text: unknown) => text } as unknown as pg.CustomTypesConfig, // values stay text
    application_name: "oars",
  });
  const broken = new Promise<never>((_, reject) => client.on("error", reject));
  broken.catch(() => undefined);
  try {
    const work = async (): Promise<SqlRows> => {
      await client.connect();
      await client.query(task.read ? "begin read only" : "begin");
      await prepare(client, task);
      const rows = await stream(client, task, settings);
      progress.committing = !task.read;
      if (!rows.truncated || !task.read) await client.query("commit");
      return rows;
    };
    return await Promise.race([work(), broken]);
  } catch (error) {
    throw asRefusal(error);
  } finally {
    socket.destroy();
  }
}

/** pg dials the stream that it is given; this one is connected to the address that was judged. */
const connected = (socket: Socket): Socket =>
  Object.assign(socket, {
    connect: () => {
      setImmediate(() => socket.emit("connect"));
      return socket;
    },
  });

async function prepare(client: pg.Client, task: SqlTask): Promise<void> {
  const { role } = task.context.connection.settings;
  const ms = String(Math.max(1, Math.floor(task.timeoutMs)));
  const settings: [string, string][] = [
    ["statement_timeout", ms],
    ["lock_timeout", ms],
    ["standard_conforming_strings", "on"],
    ...(role === undefined ? [] : [["role", role] as [string, string]]),
  ];
  for (const pair of settings) await client.query("select set_config($1, $2, true)", pair);
}

type PgQuery = pg.Query & {
  on(event: "row", heard: (row: unknown[], result: { fields: readonly pg.FieldDef[] }) => void): void;
  on(
    event: "end",
    heard: (result: { fields: readonly pg.FieldDef[]; rowCount: number | null }) => void,
  ): void;
  on(event: "error", heard: (error: Error) => void): void;
};

/** Reads beyond the caps are cut by leaving; a change is read to its end, so that it can be committed. */
function stream(
  client: pg.Client,
  task: SqlTask,
  settings: Parameters<typeof collector>[0],
): Promise<SqlRows> {
  return new Promise((resolve, reject) => {
    const kept = collector(settings);
    const query = new pg.Query({
      text: task.statement,
      values: [...task.parameters],
      rowMode: "array",
      queryMode: "extended",
    } as pg.QueryArrayConfig) as unknown as PgQuery; // the types know neither queryMode nor the events
    let read = 0;
    query.on("row", (row, { fields }) => {
      read += 1;
      const record = Object.fromEntries(
        fields.map((f, i) => [storableText(f.name), jsonOf(row[i], f.dataTypeID)]),
      );
      if (!kept.add(record) && task.read)
        resolve({
          columns: fields.map((f) => f.name),
          rows: kept.rows,
          rowCount: kept.rows.length,
          truncated: true,
        });
    });
    query.on("end", ({ fields, rowCount }) =>
      resolve({
        columns: fields.map((f) => storableText(f.name)),
        rows: kept.rows,
        rowCount: rowCount ?? read,
        truncated: kept.truncated(),
      }),
    );
    query.on("error", reject);
    client.query(query);
  });
}

const numbers = new Set([20, 21, 23, 26, 700, 701]);
const int8 = 20;
const json = new Set([114, 3802]);

/** Numbers and booleans as such where JSON holds them exactly; everything else is PostgreSQL's own text. */
function jsonOf(value: unknown, type: number): Json {
  if (typeof value !== "string") return null;
  if (type === 16) return value === "t";
  if (numbers.has(type)) {
    const number = Number(value);
    const exact = type === int8 ? Number.isSafeInteger(number) : Number.isFinite(number);
    return exact ? number : value;
  }
  if (!json.has(type)) return storableText(value);
  const made = storableJson(JSON.parse(value), (text) => text);
  return made === undefined ? value : made;
}

function asRefusal(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const position = error.position === undefined ? undefined : Number(error.position);
  return new SqlRefusal(error.code ?? "XX000", error.message, { position, cause: error });
}
