/** Giving and taking back grants: each at once, without a publication, and each with its receipt. */
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Database, WriteSet } from "#platform/db";
import { type FieldProblem, formatId, newId, OarsError } from "#platform/kernel";
import type { Bundle, EntityRef } from "./domain.ts";
import * as store from "./grant-store.ts";
import { policyReceipt, type ReceiptSink } from "./receipt.ts";
import { lockHead, touchHead } from "./store.ts";
import { fillingProblems } from "./template.ts";

export interface GrantDeps {
  readonly db: Database;
  readonly receipts: ReceiptSink;
  /** The bundle in force. */
  readonly bundle: (tenantId: string) => Promise<Bundle | null>;
  readonly changed: (tenantId: string) => void;
}

export interface NewGrant {
  readonly template: string;
  readonly principal: EntityRef | null;
  readonly resource: EntityRef | null;
  readonly note?: string | undefined;
  readonly expiresAt?: Date | undefined;
}

const mostLive = 5_000;
const plainId = /^[\p{L}\p{N} ._:/@-]{1,200}$/u;

/** Errors: POLICY_TEMPLATE_NOT_FOUND, POLICY_GRANT_INVALID with every problem. Needs policies:publish. */
export async function giveGrant(deps: GrantDeps, caller: Caller, given: NewGrant): Promise<store.GrantRow> {
  requirePermission(caller, "policies:publish");
  const { tenantId } = caller;
  const bundle = await deps.bundle(tenantId);
  const template = bundle?.templates.find((one) => one.id === given.template);
  if (template === undefined) throw new OarsError("POLICY_TEMPLATE_NOT_FOUND", { name: given.template });
  const problems: FieldProblem[] = [
    ...fillingProblems(template, given).map((problem) => ({ ...problem, code: "POLICY_GRANT" })),
    ...[given.principal, given.resource].flatMap((entity) =>
      entity === null || plainId.test(entity.id)
        ? []
        : [
            {
              path: "id",
              code: "POLICY_GRANT",
              message: "An id holds letters, digits and . _ : / @ - only.",
            },
          ],
    ),
  ];
  if (problems.length > 0) throw new OarsError("POLICY_GRANT_INVALID", {}, { errors: problems });
  const row = {
    id: newId(),
    template: given.template,
    principal: given.principal,
    resource: given.resource,
    note: given.note ?? null,
    createdBy: caller.principalId,
    expiresAt: given.expiresAt ?? null,
  };
  const writes = new WriteSet();
  await deps.receipts.add(writes, receiptOf(caller, "policy.granted", row));
  return deps.db.tx(tenantId, async (tx) => {
    await lockHead(tx, tenantId);
    if ((await store.countLiveGrants(tx, tenantId)) >= mostLive)
      throw new OarsError(
        "POLICY_GRANT_INVALID",
        {},
        {
          errors: [
            { path: "", code: "POLICY_GRANT_LIMIT", message: `There are ${mostLive} grants already.` },
          ],
        },
      );
    const made = await store.insertGrant(tx, tenantId, row);
    await touchHead(tx, tenantId);
    await applyWrites(tx, writes);
    tx.onCommit(() => deps.changed(tenantId));
    return made;
  });
}

/** Errors: POLICY_GRANT_NOT_FOUND. Taking back twice is taking back once. Needs policies:publish. */
export async function revokeGrant(deps: GrantDeps, caller: Caller, id: string): Promise<store.GrantRow> {
  requirePermission(caller, "policies:publish");
  const { tenantId } = caller;
  const found = await deps.db.read(tenantId, (db) => store.findGrant(db, tenantId, id));
  if (found === undefined) throw new OarsError("POLICY_GRANT_NOT_FOUND");
  if (found.revokedAt !== null) return found;
  const writes = new WriteSet();
  await deps.receipts.add(writes, receiptOf(caller, "policy.grant_revoked", found));
  return deps.db.tx(tenantId, async (tx) => {
    await lockHead(tx, tenantId);
    const revoked = await store.revokeGrant(tx, tenantId, id, caller.principalId);
    if (revoked === undefined) return (await store.findGrant(tx, tenantId, id)) ?? found;
    await touchHead(tx, tenantId);
    await applyWrites(tx, writes);
    tx.onCommit(() => deps.changed(tenantId));
    return revoked;
  });
}

const receiptOf = (
  caller: Caller,
  type: "policy.granted" | "policy.grant_revoked",
  {
    id,
    template,
    principal,
    resource,
    expiresAt,
  }: Omit<store.GrantRow, "createdAt" | "revokedBy" | "revokedAt">,
) => {
  const what = type === "policy.granted" ? "given" : "taken back";
  return policyReceipt(caller, {
    type,
    permission: "policies:publish",
    message: `Grant ${formatId("grant", id)} of template ${template} ${what}.`,
    disclose: { grant: { template, principal, resource, expires: expiresAt?.toISOString() ?? null } },
  });
};
