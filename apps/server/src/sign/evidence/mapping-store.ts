import type { ControlFilter, EvidenceKind } from "@oars/receipts";
import { type Db, nothing, sql, type Tx } from "#platform/db";
import type { ControlMapping } from "./domain.ts";

const columns = sql`id, framework, control_id as "controlId", version, title, description, filters as "receiptFilters",
  required_kinds as "requiredNodeTypes", freshness_days as "freshnessDays", threshold, source,
  created_by as "createdBy", created_at as "createdAt", replaced_at as "replacedAt", tagged_to as "taggedTo"`;

export const listLive = (
  db: Db,
  tenantId: string,
  frameworks: readonly string[] | null = null,
): Promise<ControlMapping[]> =>
  db.query(sql`/* evidence.listMappings */
    select ${columns} from control_mapping where tenant_id = ${tenantId} and replaced_at is null
      ${frameworks === null ? nothing : sql`and framework in (select jsonb_array_elements_text(${JSON.stringify(frameworks)}::jsonb))`}
    order by framework, string_to_array(regexp_replace(control_id, '[^0-9.]', '', 'g'), '.'), control_id`);

/** Every version of a control, newest first. */
export const listVersions = (
  db: Db,
  tenantId: string,
  framework: string,
  controlId: string,
): Promise<ControlMapping[]> =>
  db.query(sql`/* evidence.listVersions */
    select ${columns} from control_mapping where tenant_id = ${tenantId} and framework = ${framework}
      and control_id = ${controlId} order by version desc`);

export const findLive = (
  db: Db,
  tenantId: string,
  framework: string,
  controlId: string,
): Promise<ControlMapping[]> =>
  db.query(sql`/* evidence.findMapping */
    select ${columns} from control_mapping where tenant_id = ${tenantId} and framework = ${framework}
      and control_id = ${controlId} and replaced_at is null`);

/** One writer at a time for a tenant's mappings. */
export const lockMappings = (tx: Tx, tenantId: string): Promise<unknown> =>
  tx.query(sql`/* evidence.lockMappings */
    select pg_advisory_xact_lock(hashtextextended(${`oars/evidence/${tenantId}`}, 0))`);

export interface NewMapping {
  readonly id: string;
  readonly framework: string;
  readonly controlId: string;
  readonly version: number;
  readonly title: string;
  readonly description: string;
  readonly receiptFilters: ControlFilter;
  readonly requiredNodeTypes: readonly EvidenceKind[];
  readonly freshnessDays: number | null;
  readonly threshold: number;
  readonly source: "catalogue" | "tenant";
  readonly createdBy: string | null;
}

export const replaceLive = (tx: Tx, tenantId: string, id: string): Promise<unknown> =>
  tx.query(sql`/* evidence.replaceMapping */
    update control_mapping set replaced_at = now() where tenant_id = ${tenantId} and id = ${id}`);

export const insertMappings = (tx: Tx, tenantId: string, rows: readonly NewMapping[]): Promise<unknown> =>
  tx.query(sql`/* evidence.insertMappings */
    insert into control_mapping (tenant_id, id, framework, control_id, version, title, description, filters, required_kinds,
      freshness_days, threshold, source, created_by)
    select ${tenantId}, m.id, m.framework, m."controlId", m.version, m.title, m.description, m."receiptFilters",
      m."requiredNodeTypes", m."freshnessDays", m.threshold, m.source, m."createdBy"
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as m(id uuid, framework text, "controlId" text, version int,
      title text, description text, "receiptFilters" jsonb, "requiredNodeTypes" jsonb, "freshnessDays" int, threshold int,
      source text, "createdBy" uuid)`);
