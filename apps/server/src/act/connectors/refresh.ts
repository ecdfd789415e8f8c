/** The job that renews credentials before they end. */
import { dueGrants, type GrantIo, type Grants, purgeConsents } from "#act/connector-auth";
import type { ConnectionInfo } from "#act/connector-kit";
import type { Database } from "#platform/db";
import { isOarsError } from "#platform/kernel";
import { specOf } from "./consents.ts";
import { findConnectionById } from "./store.ts";

export interface RefreshDeps {
  readonly db: Database;
  readonly grants: Pick<Grants, "refresh">;
  readonly io: (connection: ConnectionInfo, by: string | null) => GrantIo;
}

const batch = 50;
const soonestMs = 1_000;

/**
 * Renews the credentials that are due, of all tenants, a few at once, and says in how many milliseconds the next one
 * is. What fails is remembered with the credential; a bug goes on.
 */
export async function refreshDue(deps: RefreshDeps): Promise<number | null> {
  const { due, nextMs } = await dueGrants(deps.db, batch);
  const faults: unknown[] = [];
  const left = [...due];
  const worker = async (): Promise<void> => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) {
      const { tenantId, connectionId, version } = one;
      const info = await deps.db.read(tenantId, (db) => findConnectionById(db, tenantId, connectionId));
      const spec = info && specOf(info);
      if (info === undefined || spec === undefined) continue;
      await deps.grants.refresh(info, spec, deps.io(info, null), version).catch((error: unknown) => {
        if (!isOarsError(error)) faults.push(error);
      });
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  await purgeConsents(deps.db, 1_000);
  if (faults.length > 0) throw new AggregateError(faults, "credentials were not renewed");
  return due.length === batch ? soonestMs : nextMs === null ? null : Math.max(soonestMs, nextMs);
}
