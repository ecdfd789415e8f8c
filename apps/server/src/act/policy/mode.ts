/** Shadow mode and the tenant's own rules for publishing: each change with its receipt. */
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Database, WriteSet } from "#platform/db";
import { type Clock, formatId, OarsError } from "#platform/kernel";
import type { FactSpec } from "./facts.ts";
import { policyOf, policyReceipt, type ReceiptSink } from "./receipt.ts";
import * as store from "./store.ts";
import type { Workshop } from "./workshop.ts";

export interface ModeDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly receipts: ReceiptSink;
  readonly workshop: Workshop;
  readonly facts: (tenantId: string) => Promise<readonly FactSpec[]>;
  readonly changed: (tenantId: string) => void;
}

/**
 * Sets a draft or retired version beside the one in force; null takes the candidate away. `share` percent of decisions
 * ask it. Errors: POLICY_NOT_FOUND, POLICY_ALREADY_PUBLISHED, POLICY_INVALID, POLICY_CASES_FAILED. Needs policies:publish.
 */
export async function setShadow(
  deps: ModeDeps,
  caller: Caller,
  id: string | null,
  share: number,
): Promise<store.Settings> {
  requirePermission(caller, "policies:publish");
  const { tenantId } = caller;
  const writes = new WriteSet();
  let row: Parameters<typeof store.setShadow>[2] = null;
  if (id === null) {
    const message = "Shadow mode ends: no candidate is asked any more.";
    await deps.receipts.add(
      writes,
      policyReceipt(caller, { type: "policy.mode_changed", permission: "policies:publish", message }),
    );
  } else {
    const version = await deps.db.read(tenantId, (db) => store.findVersion(db, tenantId, id));
    if (version === undefined) throw new OarsError("POLICY_NOT_FOUND");
    if (version.state === "published") throw new OarsError("POLICY_ALREADY_PUBLISHED");
    const bundle = await deps.workshop.accept(version.source, await deps.facts(tenantId));
    row = {
      policyId: id,
      share,
      since: deps.clock.now().toISOString(),
      facts: bundle.facts,
      schema: bundle.schema,
      engine: deps.workshop.engine,
      compiled: [...bundle.policies, ...bundle.templates],
    };
    const said = {
      type: "policy.mode_changed",
      permission: "policies:publish",
      mode: "shadow",
      message: `Policy ${formatId("policy", id)}, version ${version.version}, is asked beside the one in force, on ${share} % of decisions; it decides nothing.`,
      policy: policyOf(version, bundle.schema, deps.workshop.engine),
    } as const;
    await deps.receipts.add(writes, policyReceipt(caller, said));
  }
  return deps.db.tx(tenantId, async (tx) => {
    await store.lockHead(tx, tenantId);
    await store.setShadow(tx, tenantId, row);
    await applyWrites(tx, writes);
    tx.onCommit(() => deps.changed(tenantId));
    return store.findSettings(tx, tenantId);
  });
}

/** Whether a draft needs a replay before it is published; null: as the server is configured. Needs policies:publish. */
export async function setReplayRequired(
  deps: ModeDeps,
  caller: Caller,
  required: boolean | null,
): Promise<store.Settings> {
  requirePermission(caller, "policies:publish");
  const { tenantId } = caller;
  const writes = new WriteSet();
  const how =
    required === null ? "follows the server's setting" : required ? "is required" : "is not required";
  const message = `A replay before a publication ${how}.`;
  await deps.receipts.add(
    writes,
    policyReceipt(caller, { type: "policy.mode_changed", permission: "policies:publish", message }),
  );
  return deps.db.tx(tenantId, async (tx) => {
    await store.setReplayRequired(tx, tenantId, required);
    await applyWrites(tx, writes);
    return store.findSettings(tx, tenantId);
  });
}
