/** Talk about an approval. It changes nothing that may happen, so it leaves no receipt. */
import { type Caller, requirePermission } from "#platform/access";
import { type Db, sql } from "#platform/db";
import { newId, OarsError } from "#platform/kernel";
import type { ApprovalsDeps } from "./parts.ts";
import { type Comment, listComments } from "./reading-store.ts";
import { findApproval } from "./store.ts";

async function assertThere(db: Db, tenantId: string, id: string): Promise<void> {
  if (!(await findApproval(db, tenantId, id))) throw new OarsError("APPROVAL_NOT_FOUND");
}

/** By anybody who may read approvals, the requester among them: who asks and who decides talk here. */
export async function comment(
  deps: ApprovalsDeps,
  caller: Caller,
  id: string,
  body: string,
): Promise<Comment> {
  requirePermission(caller, "approvals:read");
  const { tenantId, principalId, principalName, principalKind } = caller;
  return deps.db.tx(tenantId, async (tx) => {
    await assertThere(tx, tenantId, id);
    const commentId = newId();
    const [made] = await tx.query<{ at: Date }>(sql`/* approvals.insertComment */
      insert into approval_comment (tenant_id, approval_id, id, principal_id, body)
      values (${tenantId}, ${id}, ${commentId}, ${principalId}, ${body}) returning created_at as at`);
    return { id: commentId, principalId, principalName, principalKind, body, at: made?.at ?? new Date() };
  });
}

export async function comments(
  deps: ApprovalsDeps,
  caller: Caller,
  id: string,
  page: { readonly after: string | null; readonly limit: number },
): Promise<Comment[]> {
  requirePermission(caller, "approvals:read");
  const { tenantId } = caller;
  return deps.db.read(tenantId, async (db) => {
    await assertThere(db, tenantId, id);
    return listComments(db, tenantId, id, page);
  });
}
