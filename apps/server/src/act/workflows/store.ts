import { type Db, nothing, sql, type Tx, uniqueViolation } from "#platform/db";
import { OarsError } from "#platform/kernel";
import type { ApprovalSettings, Fatigue, Workflow, WorkflowContent } from "./domain.ts";

const columns = sql`w.id, w.name, v.version, v.description, v.stages, v.digest, v.created_by as "createdBy",
  v.created_at as "createdAt", w.retired_at as "retiredAt"`;

/** `id` is the workflow's own, the same for all its versions. */
export type WorkflowRow = Workflow & { readonly id: string };

/** The newest version, or the one that is named; also of a retired workflow. */
export async function findWorkflow(
  db: Db,
  tenantId: string,
  name: string,
  version?: number,
): Promise<WorkflowRow | undefined> {
  const rows = await db.query<WorkflowRow>(sql`/* workflows.find */
    select ${columns} from approval_workflow w join approval_workflow_version v
      on v.tenant_id = w.tenant_id and v.workflow_id = w.id and v.version = ${version === undefined ? sql`w.version` : sql`${version}::int4`}
    where w.tenant_id = ${tenantId} and w.name = ${name}`);
  return rows[0];
}

/** By name; those in use. */
export const listWorkflows = (
  db: Db,
  tenantId: string,
  page: { readonly after: string | null; readonly limit: number },
): Promise<WorkflowRow[]> =>
  db.query(sql`/* workflows.list */
    select ${columns} from approval_workflow w join approval_workflow_version v
      on v.tenant_id = w.tenant_id and v.workflow_id = w.id and v.version = w.version
    where w.tenant_id = ${tenantId} and w.retired_at is null ${page.after ? sql`and w.name > ${page.after}` : nothing}
    order by w.name limit ${page.limit}`);

/** Newest first. */
export const listVersions = (
  db: Db,
  tenantId: string,
  name: string,
  page: { readonly before: number | null; readonly limit: number },
): Promise<WorkflowRow[]> =>
  db.query(sql`/* workflows.listVersions */
    select ${columns} from approval_workflow w join approval_workflow_version v
      on v.tenant_id = w.tenant_id and v.workflow_id = w.id
    where w.tenant_id = ${tenantId} and w.name = ${name} ${page.before ? sql`and v.version < ${page.before}` : nothing}
    order by v.version desc limit ${page.limit}`);

/** Locks the workflow's row until the end of the transaction. */
export async function lockWorkflow(
  tx: Tx,
  tenantId: string,
  name: string,
): Promise<{ id: string; version: number; retiredAt: Date | null } | undefined> {
  const rows = await tx.query<{
    id: string;
    version: number;
    retiredAt: Date | null;
  }>(sql`/* workflows.lock */
    select id, version, retired_at as "retiredAt" from approval_workflow
    where tenant_id = ${tenantId} and name = ${name} for update`);
  return rows[0];
}

/** Errors: PRECONDITION_FAILED when another process made it first. */
export async function insertWorkflow(
  tx: Tx,
  w: { readonly tenantId: string; readonly id: string; readonly name: string },
): Promise<void> {
  try {
    await tx.query(sql`/* workflows.insert */
      insert into approval_workflow (tenant_id, id, name, version) values (${w.tenantId}, ${w.id}, ${w.name}, 1)`);
  } catch (cause) {
    if (uniqueViolation(cause) === undefined) throw cause;
    throw new OarsError("PRECONDITION_FAILED", {}, { cause });
  }
}

/** Also takes a retired one back into use. */
export const raiseVersion = (tx: Tx, tenantId: string, id: string, version: number): Promise<unknown> =>
  tx.query(sql`/* workflows.raiseVersion */
    update approval_workflow set version = ${version}, retired_at = null where tenant_id = ${tenantId} and id = ${id}`);

export const retireWorkflow = (tx: Tx, tenantId: string, id: string): Promise<unknown> =>
  tx.query(sql`/* workflows.retire */
    update approval_workflow set retired_at = now() where tenant_id = ${tenantId} and id = ${id}`);

export const insertVersion = (
  tx: Tx,
  v: WorkflowContent & {
    readonly tenantId: string;
    readonly workflowId: string;
    readonly version: number;
    readonly digest: string;
    readonly createdBy: string;
  },
): Promise<unknown> =>
  tx.query(sql`/* workflows.insertVersion */
    insert into approval_workflow_version (tenant_id, workflow_id, version, description, stages, digest, created_by)
    values (${v.tenantId}, ${v.workflowId}, ${v.version}, ${v.description}, ${JSON.stringify(v.stages)}::jsonb, ${v.digest}, ${v.createdBy})`);

export async function findSettings(db: Db, tenantId: string): Promise<ApprovalSettings | undefined> {
  const rows = await db.query<ApprovalSettings>(sql`/* workflows.findSettings */
    select s.version, s.default_workflow as "defaultWorkflow", s.fatigue, s.updated_by as "updatedBy", s.updated_at as "updatedAt"
    from approval_settings s where s.tenant_id = ${tenantId}`);
  return rows[0];
}

/** Compare-and-set on the version; 0 is "none yet". Answers nothing when another one was faster. */
export const writeSettings = (
  tx: Tx,
  s: {
    readonly tenantId: string;
    readonly from: number;
    readonly defaultWorkflow: string | null;
    readonly fatigue: Fatigue | null;
    readonly by: string;
  },
): Promise<unknown[]> => {
  const fatigue = s.fatigue === null ? null : JSON.stringify(s.fatigue);
  return s.from === 0
    ? tx.query(sql`/* workflows.insertSettings */
        insert into approval_settings (tenant_id, version, default_workflow, fatigue, updated_by)
        values (${s.tenantId}, 1, ${s.defaultWorkflow}, ${fatigue}::jsonb, ${s.by}) on conflict do nothing returning version`)
    : tx.query(sql`/* workflows.updateSettings */
        update approval_settings set version = version + 1, default_workflow = ${s.defaultWorkflow}, fatigue = ${fatigue}::jsonb,
          updated_by = ${s.by}, updated_at = now()
        where tenant_id = ${s.tenantId} and version = ${s.from} returning version`);
};

/** Those of the ids that are active people of the tenant who hold one of the roles. */
export async function findVoters(
  db: Db,
  tenantId: string,
  ids: readonly string[],
  roles: readonly string[],
): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const rows = await db.query<{ id: string }>(sql`/* workflows.findVoters */
    select p.id from principal p where p.tenant_id = ${tenantId} and p.id = any(${[...ids]}::uuid[])
      and p.kind = 'user' and p.status = 'active' and exists (select from principal_role r
        where r.tenant_id = p.tenant_id and r.principal_id = p.id and r.role = any(${[...roles]}::text[]))`);
  return new Set(rows.map(({ id }) => id));
}
