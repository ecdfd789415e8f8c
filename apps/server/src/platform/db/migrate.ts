/**
 * Forward-only migrations: numbered files, each in one transaction with its version row. The version row
 * carries the file's checksum, so an edited file is found; a database newer than this program is refused.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { OarsError } from "#platform/kernel";

export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly text: string;
  readonly checksum: string;
}

/** What the runner needs of a connection of the schema's owner: many statements in one text. */
export interface OwnerConnection {
  exec(text: string): Promise<void>;
  query<Row>(text: string, values?: unknown[]): Promise<Row[]>;
}

const shape = /^(\d{4})-([a-z0-9-]+)\.sql$/;
const lockKey = 4_271_103_518;

export async function readMigrations(dir: string): Promise<Migration[]> {
  const files = (await readdir(dir)).filter((f) => shape.test(f)).sort();
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(dir, file), "utf8");
      return {
        number: Number(file.slice(0, 4)),
        name: file,
        text,
        checksum: createHash("sha256").update(text).digest("hex"),
      };
    }),
  );
}

/** Brings the database to the newest migration and says which ones ran. Safe when many processes start at once. */
export async function migrate(owner: OwnerConnection, migrations: readonly Migration[]): Promise<string[]> {
  const ran: string[] = [];
  await owner.exec("begin");
  try {
    await owner.exec(`select pg_advisory_xact_lock(${lockKey})`);
    await owner.exec(`create table if not exists oars_migration (
      number int primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`);
    const done = await owner.query<{ number: number; checksum: string }>(
      "select number, checksum from oars_migration order by number",
    );
    check(done, migrations);
    const have = new Set(done.map((d) => d.number));
    for (const m of migrations.filter((x) => !have.has(x.number))) {
      await owner.query("insert into oars_migration (number, name, checksum) values ($1, $2, $3)", [
        m.number,
        m.name,
        m.checksum,
      ]);
      await owner.exec(m.text);
      ran.push(m.name);
    }
    await owner.exec("commit");
  } catch (error) {
    await owner.exec("rollback");
    throw error;
  }
  return ran;
}

function check(done: readonly { number: number; checksum: string }[], known: readonly Migration[]): void {
  const byNumber = new Map(known.map((m) => [m.number, m]));
  const newest = known.at(-1)?.number ?? 0;
  for (const d of done) {
    const m = byNumber.get(d.number);
    if (!m && d.number > newest) throw new OarsError("STORE_NEWER", { found: d.number, known: newest });
    if (m && m.checksum !== d.checksum) throw new Error(`migration ${m.name} was changed after it ran`);
  }
}
