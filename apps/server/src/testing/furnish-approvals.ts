/** Something in every table of the rooms that ask people. */
import type { Caller } from "#platform/access";
import { sql } from "#platform/db";
import { newId } from "#platform/kernel";
import type { App } from "../compose.ts";

export async function furnishApprovals(
  app: App,
  admin: Caller,
  [lender, borrower]: readonly [Caller, Caller],
  approvalId: string,
): Promise<void> {
  const stage = {
    name: "board",
    mode: "serial",
    approvers: ["role:approver"],
    requiredApprovals: 1,
    alongside: false,
    slaSeconds: null,
    escalateTo: [],
  } as const;
  await app.workflows.put(admin, "board", { description: "", stages: [stage] });
  await app.workflows.changeSettings(admin, { defaultWorkflow: "board", fatigue: null });
  await app.approvals.comment(admin, approvalId, "a comment");
  const endsAt = new Date(Date.now() + 3_600_000);
  await app.approvals.delegate(lender, { toId: borrower.principalId, endsAt, reason: "away" });
  await app.factors.enrol(lender, { kind: "totp", name: "phone" }, {});
  const { tenantId, principalId } = lender;
  for (const row of [
    sql`insert into factor_challenge (tenant_id, id, principal_id, challenge, subject_id, subject_digest, decision, expires_at)
      values (${tenantId}, ${newId()}, ${principalId}, 'n', ${approvalId}, 'd', 'approve', now())`,
    sql`insert into factor_throttle (tenant_id, principal_id, tries, window_at) values (${tenantId}, ${principalId}, 1, now())`,
    sql`insert into recovery_code (tenant_id, principal_id, hash) values (${tenantId}, ${principalId}, ${Buffer.alloc(32)})`,
  ])
    await app.db.system.query(row);
}
