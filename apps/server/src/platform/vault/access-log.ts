/**
 * Who used a secret for what. Uses are counted in memory and written together, so that a call costs no statement: a
 * process that dies loses the counts of its last seconds, and nothing else.
 */
import { type Database, type Db, sql } from "#platform/db";
import { newId } from "#platform/kernel";

export interface SecretUse {
  /** The principal for whom; null: the server itself. */
  readonly principalId: string | null;
  /** The tool, or what the server does. */
  readonly purpose: string;
  readonly actionId?: string | undefined;
}

export interface SecretAccess {
  readonly id: string;
  readonly principalId: string | null;
  readonly purpose: string;
  /** Begin of the hour that is counted. */
  readonly hour: Date;
  readonly reads: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
  readonly lastActionId: string | null;
}

export interface AccessLog {
  used(tenantId: string, name: string, use: SecretUse): void;
  /** Writes what was counted. */
  flush(): Promise<void>;
}

interface Count {
  readonly tenantId: string;
  readonly name: string;
  readonly use: SecretUse;
  reads: number;
  actionId: string | null;
}

const mostCounts = 5_000;

export function createAccessLog(db: Database): AccessLog {
  let counts = new Map<string, Count>();
  return {
    used(tenantId, name, use) {
      const key = `${tenantId} ${name} ${use.principalId ?? ""} ${use.purpose}`;
      const count = counts.get(key);
      if (count !== undefined) {
        count.reads += 1;
        count.actionId = use.actionId ?? count.actionId;
      } else if (counts.size < mostCounts) {
        counts.set(key, { tenantId, name, use, reads: 1, actionId: use.actionId ?? null });
      }
    },
    async flush() {
      if (counts.size === 0) return;
      const mine = counts;
      counts = new Map();
      for (const [tenantId, own] of Map.groupBy(mine.values(), (count) => count.tenantId))
        await writeUses(db, tenantId, own);
    },
  };
}

const writeUses = (db: Database, tenantId: string, counts: readonly Count[]): Promise<unknown> =>
  db.tx(tenantId, (tx) =>
    tx.query(sql`/* vault.write_uses */
      insert into secret_access as a (tenant_id, id, name, reader, purpose, at_hour, reads, first_at, last_at, last_action_id)
      select ${tenantId}, u.id, u.name, u.reader, u.purpose, date_trunc('hour', now()), u.reads, now(), now(), u.action_id
      from unnest(${counts.map(() => newId())}::uuid[], ${counts.map((c) => c.name)}::text[],
        ${counts.map((c) => c.use.principalId)}::uuid[], ${counts.map((c) => c.use.purpose.slice(0, 200))}::text[],
        ${counts.map((c) => c.reads)}::int8[], ${counts.map((c) => c.actionId)}::uuid[])
        as u (id, name, reader, purpose, reads, action_id)
      on conflict (tenant_id, name, at_hour, reader, purpose) do update
        set reads = a.reads + excluded.reads, last_at = excluded.last_at,
          last_action_id = coalesce(excluded.last_action_id, a.last_action_id)`),
  );

/** Newest first. */
export const listUses = (
  db: Db,
  tenantId: string,
  name: string,
  page: { readonly limit: number; readonly before: string | undefined },
): Promise<SecretAccess[]> =>
  db.query(sql`/* vault.list_uses */
    select id, reader as "principalId", purpose, at_hour as hour, reads, first_at as "firstAt", last_at as "lastAt",
      last_action_id as "lastActionId"
    from secret_access where tenant_id = ${tenantId} and name = ${name}
      and (${page.before ?? null}::uuid is null or id < ${page.before ?? null}::uuid)
    order by id desc limit ${page.limit}`);
