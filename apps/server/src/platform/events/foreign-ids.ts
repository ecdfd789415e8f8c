/**
 * Whether an id that a caller's tenant does not have is another tenant's. The answer to the caller is the same either
 * way; this is for the event alone, so it is asked after the answer and only so often.
 */
import { type Database, type Sql, sql } from "#platform/db";
import { type IdKind, idPrefixes, parseId } from "#platform/kernel";

/** One probe of a primary key per tenant. */
const owners: Partial<Record<IdKind, (id: string) => Sql>> = {
  run: (id) => sql`select 1 from run o where o.tenant_id = t.id and o.id = ${id}`,
  action: (id) => sql`select 1 from action o where o.tenant_id = t.id and o.id = ${id}`,
  approval: (id) => sql`select 1 from approval o where o.tenant_id = t.id and o.id = ${id}`,
  receipt: (id) => sql`select 1 from receipt o where o.tenant_id = t.id and o.id = ${id}`,
  policy: (id) => sql`select 1 from policy o where o.tenant_id = t.id and o.id = ${id}`,
  principal: (id) => sql`select 1 from principal o where o.tenant_id = t.id and o.id = ${id}`,
  apiKey: (id) => sql`select 1 from api_key o where o.tenant_id = t.id and o.id = ${id}`,
  gate: (id) => sql`select 1 from gate o where o.tenant_id = t.id and o.id = ${id}`,
  event: (id) => sql`select 1 from security_event o where o.tenant_id = t.id and o.id = ${id}`,
};

/** The object that a path names, where it is of a kind that can be looked for. */
export function namedObject(
  texts: readonly string[],
): { kind: IdKind; id: string; text: string } | undefined {
  for (const text of texts) {
    for (const kind of Object.keys(owners) as IdKind[]) {
      if (!text.startsWith(`${idPrefixes[kind]}_`)) continue;
      const id = parseId(kind, text);
      if (id !== undefined) return { kind, id, text };
    }
  }
  return undefined;
}

export async function isForeign(db: Database, tenantId: string, kind: IdKind, id: string): Promise<boolean> {
  const owned = owners[kind];
  if (owned === undefined) return false;
  const rows = await db.system.query(sql`/* events.foreign */
    select 1 as one from tenant t where t.id <> ${tenantId} and exists (${owned(id)}) limit 1`);
  return rows.length > 0;
}
