/** Packs that are made each month, of the month before. */
import { type Caller, requirePermission } from "#platform/access";
import { type Database, sql } from "#platform/db";
import { newId, OarsError } from "#platform/kernel";
import type { Mappings } from "./mappings.ts";
import { insertPack } from "./pack-store.ts";
import { settingsOf } from "./packs.ts";

export interface Schedule {
  readonly framework: string;
  readonly createdBy: string;
  readonly createdAt: Date;
}

export interface Schedules {
  /** Needs `evidence:read`. */
  list(caller: Caller): Promise<Schedule[]>;
  /** Needs `compliance:write`. Setting one that is there changes nothing. Throws EVIDENCE_FRAMEWORK_UNKNOWN. */
  set(caller: Caller, framework: string): Promise<Schedule>;
  /** Needs `compliance:write`. Throws EVIDENCE_SCHEDULE_NOT_FOUND. */
  remove(caller: Caller, framework: string): Promise<void>;
  /** Asks for the packs of last month that are due and not there; answers how many. Harmless to repeat. */
  askDue(now: Date): Promise<number>;
}

const columns = sql`framework, created_by as "createdBy", created_at as "createdAt"`;

export function createSchedules(db: Database, mappings: Mappings): Schedules {
  return {
    list: async (caller) => {
      requirePermission(caller, "evidence:read");
      return db.read(caller.tenantId, (tx) =>
        tx.query<Schedule>(sql`/* evidence.listSchedules */
          select ${columns} from evidence_schedule where tenant_id = ${caller.tenantId} order by framework`),
      );
    },
    set: async (caller, framework) => {
      requirePermission(caller, "compliance:write");
      await mappings.inForce(caller.tenantId, [framework]);
      return db.tx(caller.tenantId, async (tx) => {
        await tx.query(sql`/* evidence.setSchedule */
          insert into evidence_schedule (tenant_id, framework, created_by)
          values (${caller.tenantId}, ${framework}, ${caller.principalId}) on conflict do nothing`);
        const [row] = await tx.query<Schedule>(sql`/* evidence.findSchedule */
          select ${columns} from evidence_schedule where tenant_id = ${caller.tenantId} and framework = ${framework}`);
        if (!row) throw new Error("a schedule that was just set is not there");
        return row;
      });
    },
    remove: async (caller, framework) => {
      requirePermission(caller, "compliance:write");
      const gone = await db.tx(caller.tenantId, (tx) =>
        tx.query(sql`/* evidence.removeSchedule */
          delete from evidence_schedule where tenant_id = ${caller.tenantId} and framework = ${framework} returning 1 as one`),
      );
      if (gone.length === 0) throw new OarsError("EVIDENCE_SCHEDULE_NOT_FOUND", { framework });
    },
    askDue: (now) => askDue(db, now),
  };
}

/** The calendar month, in UTC, before the one of `now`. */
export const monthBefore = (now: Date): { from: Date; to: Date } => ({
  from: new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1)),
  to: new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)),
});

/** Across tenants: whose schedule has no pack of last month. */
async function askDue(db: Database, now: Date): Promise<number> {
  const window = monthBefore(now);
  const due = await db.system.query<{ tenantId: string; framework: string }>(sql`/* evidence.findDue */
    select s.tenant_id as "tenantId", s.framework from evidence_schedule s
    where not exists (select from evidence_pack p where p.tenant_id = s.tenant_id and p.kind = 'monthly'
      and p.frameworks = jsonb_build_array(s.framework) and p.window_from = ${window.from})
    order by s.tenant_id, s.framework limit 100`);
  let asked = 0;
  for (const { tenantId, framework } of due) {
    const row = {
      ...settingsOf({}, "monthly"),
      id: newId(),
      frameworks: [framework],
      ...window,
      runId: null,
      actionId: null,
      requestedBy: null,
    };
    if (await db.tx(tenantId, (tx) => insertPack(tx, tenantId, row))) asked++;
  }
  return asked;
}
