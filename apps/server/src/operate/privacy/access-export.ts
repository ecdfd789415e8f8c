/** What is held about a person, for the person: receipts with their sensitive members, actions, runs. */
import type { Actions, ActionView } from "#act/actions";
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Database, sql, WriteSet } from "#platform/db";
import { parseId } from "#platform/kernel";
import type { Receipts, StoredReceipt } from "#sign/receipts";
import * as store from "./store.ts";

export interface AccessExportDeps {
  readonly db: Database;
  readonly receipts: Pick<Receipts, "add" | "list" | "disclosed">;
  readonly actions: Pick<Actions, "load">;
}

export interface AccessExport {
  readonly receipts: readonly {
    readonly receipt: StoredReceipt;
    readonly disclosed: Record<string, unknown>;
  }[];
  /** Actions of this page's receipts, as they are recorded. */
  readonly actions: readonly ActionView[];
  /** Runs that the person started; with the first page alone. */
  readonly runs: readonly {
    readonly id: string;
    readonly flow: string;
    readonly params: unknown;
    readonly createdAt: Date;
  }[];
  readonly next: string | null;
}

const pageSize = 100;
const mostRuns = 1_000;

/** One page, oldest first. The first one is receipted (`export.created`). A subject that is no principal has no pages. */
export async function exportSubject(
  deps: AccessExportDeps,
  caller: Caller,
  subject: string,
  cursor: string | null,
): Promise<AccessExport> {
  requirePermission(caller, "privacy:write");
  const { tenantId } = caller;
  if (cursor === null) await receipted(deps, caller, subject);
  const principalId = parseId("principal", subject);
  if (principalId === undefined) return { receipts: [], actions: [], runs: [], next: null };
  const filter = { actorId: principalId };
  const page = await deps.receipts.list(tenantId, filter, { limit: pageSize, cursor, order: "oldest" });
  const receipts = [];
  const seen = new Set<string>();
  for (const receipt of page.items) {
    receipts.push({ receipt, disclosed: await deps.receipts.disclosed(tenantId, receipt.id) });
    if (receipt.actionId && receipt.type === "action.decision") seen.add(receipt.actionId);
  }
  const actions: ActionView[] = [];
  for (const id of seen) {
    const action = await deps.actions.load(tenantId, id);
    if (action) actions.push(action);
  }
  const runs = cursor === null ? await listRuns(deps.db, tenantId, principalId) : [];
  return { receipts, actions, runs, next: page.next };
}

const listRuns = (db: Database, tenantId: string, principalId: string): Promise<AccessExport["runs"]> =>
  db.read(tenantId, async (tx) => {
    const principals = await store.listActing(tx, tenantId, principalId);
    return tx.query<AccessExport["runs"][number]>(sql`/* privacy.listRunsOf */
      select id, flow_name as flow, params, created_at as "createdAt" from run
      where tenant_id = ${tenantId} and principal_id = any(${principals}::uuid[]) order by id limit ${mostRuns}`);
  });

async function receipted(deps: AccessExportDeps, caller: Caller, subject: string): Promise<void> {
  const set = new WriteSet();
  await deps.db.tx(caller.tenantId, async (tx) => {
    await deps.receipts.add(
      set,
      {
        tenantId: caller.tenantId,
        type: "export.created",
        principal: { id: caller.principalId, kind: caller.principalKind, ownerId: caller.ownerId },
        operation: { command: "privacy.export" },
        about: [{ subject, disclose: { subject } }],
      },
      tx,
    );
    await applyWrites(tx, set);
  });
}
