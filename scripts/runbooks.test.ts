/** The SQL of runbooks and guides, on both databases. What an operator pastes at night must work. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { formatId, newId } from "../apps/server/src/platform/kernel/index.ts";
import { openTestDatabase, type TestDatabase } from "../apps/server/src/testing/index.ts";
import { openImage } from "../apps/server/src/testing/pglite-image.ts";
import { type Block, blocksOf } from "./markdown-blocks.ts";
import { askDatabase } from "./sql.ts";

const root = join(import.meta.dirname, "..");

async function sqlOf(folder: string): Promise<{ name: string; block: Block }[]> {
  const files = (await readdir(join(root, folder))).filter((f) => f.endsWith(".md"));
  const texts = await Promise.all(files.map((f) => readFile(join(root, folder, f), "utf8")));
  return files.flatMap((file, i) =>
    blocksOf(texts[i] ?? "")
      .filter((b) => b.language === "sql")
      .map((block) => ({ name: `${folder}/${file}:${block.line}`, block })),
  );
}

const all = [...(await sqlOf("docs/runbooks")), ...(await sqlOf("docs/guides"))];
const isAdministration = (block: Block): boolean => block.text.startsWith("-- as an administrator");

/** A session as `scripts/sql.ts` or psql with ids.sql opens it, and one of the schema's owner. */
interface Session {
  ask(question: string): Promise<Record<string, unknown>[][]>;
  administer(statement: string): Promise<unknown>;
  close(): Promise<void>;
}

async function embedded(): Promise<Session> {
  const { image } = inject("databases");
  const [db, other] = await Promise.all([openImage(image), openImage(image)]);
  await plant((text) => db.exec(text));
  return {
    ask: (question) => askDatabase(db, question),
    administer: (statement) => other.exec(statement),
    close: async () => {
      await Promise.all([db.close(), other.close()]);
    },
  };
}

async function server(): Promise<Session> {
  const opened: TestDatabase = await openTestDatabase("postgres");
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: opened.url ?? "" });
    await client.connect();
    return client;
  };
  const [client, owner] = await Promise.all([connect(), connect()]);
  await plant((text) => owner.query(text));
  const ids = await readFile(join(root, "docs/runbooks/ids.sql"), "utf8");
  return {
    ask: async (question) => {
      await client.query(ids);
      const result: unknown = await client.query(question);
      return (Array.isArray(result) ? result : [result]).map((r: pg.QueryResult) => r.rows as never);
    },
    administer: (statement) => owner.query(statement),
    close: async () => {
      await Promise.all([client.end(), owner.end()]);
      await opened.close();
    },
  };
}

const tenant = newId();
const stuck = newId();
const doubtful = newId();

/** A run that nobody took for an hour, and one that waits for an action in doubt. */
async function plant(exec: (text: string) => Promise<unknown>): Promise<void> {
  const run = (
    id: string,
    status: string,
  ): string => `insert into run (tenant_id, id, flow_name, flow_version,
    flow_hash, status, principal_id, params, available_at) values ('${tenant}', '${id}', 'planted', '1.0.0',
    'sha256:0', '${status}', '${tenant}', '{}', now() - interval '1 hour');`;
  await exec(`${run(stuck, "queued")} ${run(doubtful, "waiting")}
    insert into action (tenant_id, id, state, connection, operation, tool, verb, target, environment, digest, facts,
      input, principal_id, run_id, step, effect_key, idempotent, timeout_ms, error, decision, started_at)
    values ('${tenant}', '${doubtful}', 'in_doubt', 'bank', 'http.request', 'bank/http.request', 'write',
      'bank.example/pay', 'production', 'sha256:0', '{}', '\\x00', '${tenant}', '${doubtful}', 'pay', 'k', false,
      1000, '{"code":"ACTION_IN_DOUBT"}', '{}', now());
    insert into wait (tenant_id, id, run_id, step, iteration, attempt, kind, key)
    values ('${tenant}', '${newId()}', '${doubtful}', 'pay', 0, 1, 'action', '${doubtful}')`);
}

describe.each([
  ["pglite", embedded],
  ["postgres", server],
] as const)("the SQL of the documents on %s", (_driver, open) => {
  let session: Session;
  beforeAll(async () => {
    session = await open();
  });
  afterAll(async () => {
    await session?.close();
  });

  it.each(all)("$name runs", async ({ block }) => {
    if (isAdministration(block)) await session.administer(block.text);
    else expect(Array.isArray(await session.ask(block.text))).toBe(true);
  });

  it("finds the run that nobody takes and the action that nobody knows of", async () => {
    const found = await askAll(session);
    expect(found.some((row) => row.includes(`"${formatId("run", stuck)}"`))).toBe(true);
    expect(found.some((row) => row.includes(`"${formatId("action", doubtful)}"`))).toBe(true);
  });

  it("tells what an id that the API shows is in the tables", async () => {
    const rows = await session.ask(
      `select pg_temp.oars_uuid('${formatId("run", stuck)}') as id, pg_temp.oars_id('run', '${stuck}') as shown`,
    );
    expect(rows.flat()).toEqual([{ id: stuck, shown: formatId("run", stuck) }]);
  });
});

/** The questions of the two runbooks, about the rows that were planted. */
async function askAll(session: Session): Promise<string[]> {
  const rows: string[] = [];
  for (const { name, block } of all) {
    if (!/stuck-run|action-in-doubt/.test(name)) continue;
    const question = block.text.replaceAll(/\b(run|act)_[0-9a-z]{26}\b/g, (_id, kind: string) => idOf(kind));
    rows.push(...(await session.ask(question)).flat().map((row) => JSON.stringify(row)));
  }
  return rows;
}

const idOf = (kind: string): string =>
  kind === "run" ? formatId("run", doubtful) : formatId("action", doubtful);
