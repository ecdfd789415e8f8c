import type { Caller } from "#platform/access";
import { applyWrites, type Tx, WriteSet } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { formatId } from "#platform/kernel";
import type { ReceiptDraft, Receipts } from "#sign/receipts";

export interface TellDeps {
  readonly receipts: Pick<Receipts, "add">;
  readonly events: Pick<SecurityEvents, "record" | "count">;
}

export interface FactorNews {
  readonly type: "factor.changed" | "factor.failed";
  /** `enrolled`, `revoked`, `recovery_codes_issued`, `totp_failed`, `locked`, … */
  readonly command: string;
  /** Whose factor it is. */
  readonly of: string;
  readonly disclose?: Record<string, unknown>;
}

/** A receipt in the caller's transaction: it changes what somebody's decisions may be confirmed with. */
export async function tell(deps: TellDeps, tx: Tx, caller: Caller, news: FactorNews): Promise<void> {
  const set = new WriteSet();
  const draft: ReceiptDraft = {
    tenantId: caller.tenantId,
    type: news.type,
    principal: {
      id: caller.principalId,
      kind: caller.principalKind,
      ownerId: caller.ownerId,
      auth: { method: caller.credential.kind },
    },
    operation: { command: news.command, to: formatId("principal", news.of) },
    ...(news.disclose ? { disclose: news.disclose } : {}),
  };
  await deps.receipts.add(set, draft, tx);
  const told = {
    tenantId: caller.tenantId,
    actor: caller,
    target: { kind: "principal", id: formatId("principal", news.of) },
    details: { command: news.command },
  };
  if (news.type === "factor.failed") deps.events.count({ ...told, type: "authentication.step_up_failed" });
  else void deps.events.record(set, { ...told, type: "authenticator.changed" }); // nothing to wait for
  await applyWrites(tx, set);
}
