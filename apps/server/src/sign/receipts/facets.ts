import { isUuid, parseId } from "#platform/kernel";
import type { ReceiptDraft } from "./draft.ts";
import type { ReceiptRow } from "./store.ts";

const uuidOf = (kind: "run" | "action" | "principal", id: string | null | undefined): string | null =>
  !id ? null : isUuid(id) ? id : (parseId(kind, id) ?? null);

const listOf = (values: readonly string[] | undefined): string | null =>
  values === undefined || values.length === 0 ? null : JSON.stringify([...new Set(values)]);

/** The columns that a receipt is found by. */
export const facetsOf = (
  draft: ReceiptDraft,
): Omit<ReceiptRow, "id" | "jws" | "disclosures" | "created_at"> => ({
  tenant_id: draft.tenantId,
  type: draft.type,
  run_id: uuidOf("run", draft.runId),
  action_id: uuidOf("action", draft.action?.id),
  principal_id: uuidOf("principal", draft.principal?.id),
  user_id: uuidOf(
    "principal",
    draft.principal?.kind === "user" ? draft.principal.id : draft.principal?.ownerId,
  ),
  tool: draft.action?.tool ?? null,
  operation: draft.action?.operation ?? null,
  target: draft.action?.target ?? null,
  effect: draft.decision?.mode === "shadow" ? null : (draft.decision?.effect ?? null), // a candidate has no effect
  policy: draft.decision?.policy?.bundle ?? null,
  policy_version: draft.decision?.policy?.version ?? null,
  rules: listOf(draft.decision?.reasons),
});
