/** What a signed decision was made of, for whoever makes it again offline. */
import { type AskedOnce, findAskedAction, openAsked } from "#act/actions";
import type { Disclosed, Policy } from "#act/policy";
import { type Caller, requirePermission } from "#platform/access";
import type { Database } from "#platform/db";
import { digestOf, OarsError } from "#platform/kernel";
import type { Vault } from "#platform/vault";

/** What of the receipt says which asking of the action it is about. */
export interface SignedDecision {
  readonly actionId: string | null;
  readonly effect?: string | undefined;
  readonly mode?: string | undefined;
  readonly policy?: { readonly bundle?: string; readonly schema?: string } | undefined;
  readonly entities?: string | undefined;
  readonly context?: string | undefined;
}

export interface DisclosureDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "open">;
  readonly policy: Pick<Policy, "disclose">;
}

/**
 * Needs receipts:disclose. Errors: RECEIPT_NOT_REPLAYABLE for what is no decision of the tenant's policy or was not kept,
 * RECEIPT_ERASED.
 */
export async function discloseDecision(
  deps: DisclosureDeps,
  caller: Caller,
  signed: SignedDecision,
): Promise<Disclosed> {
  requirePermission(caller, "receipts:disclose");
  const { tenantId } = caller;
  const { actionId } = signed;
  if (actionId === null || signed.effect === undefined || signed.mode === "shadow")
    throw notReplayable("it is not of a decision that counted");
  const found = await deps.db.read(tenantId, (db) => findAskedAction(db, tenantId, actionId));
  if (found === undefined) throw notReplayable("its action is not kept any more");
  if (found.asked === null && found.decision?.message === "Erased.") throw new OarsError("RECEIPT_ERASED");
  const kept = await openAsked(deps.vault, tenantId, actionId, found.asked);
  if (kept === undefined) throw notReplayable("what the policy was asked was not kept");
  for (const once of [kept, ...(kept.later ?? [])]) {
    if (once.effect !== signed.effect) continue;
    const disclosed = await disclosedOf(deps, tenantId, once);
    if (disclosed === undefined) continue;
    if (isWhatWasSigned(disclosed, signed)) return disclosed;
  }
  throw notReplayable("nothing that was kept gives the digests that were signed, or no policy decided");
}

const isWhatWasSigned = (disclosed: Disclosed, { policy, entities, context }: SignedDecision): boolean =>
  digestOf(disclosed.context) === context &&
  digestOf(disclosed.entities) === entities &&
  digestOf(disclosed.source) === policy?.bundle &&
  digestOf(disclosed.schema) === policy?.schema;

async function disclosedOf(
  { policy }: DisclosureDeps,
  tenantId: string,
  { request, facts, version }: AskedOnce,
): Promise<Disclosed | undefined> {
  if (version === null) return undefined;
  return policy.disclose(tenantId, { version: Number(version), request, facts });
}

const notReplayable = (reason: string): OarsError => new OarsError("RECEIPT_NOT_REPLAYABLE", { reason });
