/**
 * Tables that are kept by month (migration 0071). A row's month is that of the UUIDv7 that its table is partitioned
 * by. The server may open months and drop them, by two functions of the schema's owner, and nothing else of the kind.
 */
import type { Database } from "./port.ts";
import { sql } from "./sql.ts";

export interface Month {
  /** Name of the partition, such as `journal_2026_01`. */
  readonly name: string;
  /** `2026-01`. */
  readonly month: string;
  /** The first id that belongs to it. */
  readonly firstId: string;
  /** The first id that does not belong to it any more. */
  readonly endId: string;
  /** How many days ago it ended; negative while it lasts. */
  readonly endedDaysAgo: number;
}

/** Opens this month and the next of every such table, and those of rows that are in none. Names what it opened. */
export async function openMonths(db: Database): Promise<string[]> {
  const opened = await db.system.query<{ name: string }>(
    sql`/* db.openMonths */ select name from oars_open_months() as name`,
  );
  return opened.map((o) => o.name);
}

/** The months of a table, oldest first. */
export const listMonths = (db: Database, table: string): Promise<Month[]> =>
  db.system.query<Month>(sql`/* db.listMonths */
    select m.name, to_char(m.month, 'YYYY-MM') as month, oars_first_id(m.month) as "firstId",
      oars_first_id((m.month + interval '1 month')::date) as "endId",
      (extract(epoch from now() - ((m.month + interval '1 month') at time zone 'UTC')) / 86400)::float8 as "endedDaysAgo"
    from (select c.relname::text as name, to_date(right(c.relname, 7), 'YYYY_MM') as month
      from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_class c on c.oid = i.inhrelid
      where p.relname = ${table} and p.relkind = 'p' and p.relnamespace = to_regnamespace(current_schema())
        and c.relname ~ '_[0-9]{4}_[0-9]{2}$') m
    order by m.month`);

/** Drops a month with all its rows. Waits a few seconds for whoever reads it and then throws. */
export const dropMonth = (db: Database, name: string): Promise<unknown> =>
  db.system.query(sql`/* db.dropMonth */ select oars_drop_month(${name})`);
