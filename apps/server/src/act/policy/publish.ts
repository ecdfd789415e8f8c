/**
 * Publishing: the check and the golden cases once more (facts and engine may have changed since the draft),
 * then one transaction that retires the published version, publishes this one and writes the receipt.
 * The receipt names the version that it replaces and is signed before the transaction; should another
 * publication come in between, the whole is done again. A rollback is the publication of a version that was
 * in force before, under another type of receipt.
 */
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Database, WriteSet } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { formatId, OarsError } from "#platform/kernel";
import type { PolicyVersion } from "./domain.ts";
import type { FactSpec } from "./facts.ts";
import { policyOf, policyReceipt, publicationMessage, type ReceiptSink } from "./receipt.ts";
import * as store from "./store.ts";
import type { Workshop } from "./workshop.ts";

export interface PublishDeps {
  readonly db: Database;
  readonly receipts: ReceiptSink;
  readonly events?: Pick<SecurityEvents, "record"> | undefined;
  readonly workshop: Workshop;
  readonly facts: (tenantId: string) => Promise<readonly FactSpec[]>;
  readonly published: (tenantId: string) => void;
  /** Throws what is missing before this draft may take the place of the version in force. */
  readonly mayPublish: (tenantId: string, policyId: string) => Promise<void>;
}

export interface PublishOptions {
  /** Publish only if this version is the published one now; null: only if none is. */
  readonly replaces?: string | null;
}

const attempts = 8;

/**
 * Errors: AUTH_FORBIDDEN, POLICY_NOT_FOUND, POLICY_INVALID and POLICY_CASES_FAILED with all problems,
 * POLICY_ALREADY_PUBLISHED (unless the facts changed since), PRECONDITION_FAILED, POLICY_REPLAY_REQUIRED.
 */
export async function publishVersion(
  deps: PublishDeps,
  caller: Caller,
  id: string,
  options: PublishOptions & { readonly rollback?: true } = {},
): Promise<PolicyVersion> {
  requirePermission(caller, "policies:publish");
  const { tenantId } = caller;
  const version = await deps.db.read(tenantId, (db) => store.findVersion(db, tenantId, id));
  if (version === undefined) throw new OarsError("POLICY_NOT_FOUND");
  const bundle = await deps.workshop.accept(version.source, await deps.facts(tenantId));
  const publication = {
    policyId: id,
    facts: bundle.facts,
    schema: bundle.schema,
    engine: deps.workshop.engine,
    compiled: [...bundle.policies, ...bundle.templates],
  };
  for (let attempt = 1; ; attempt++) {
    const head = await deps.db.read(tenantId, (db) => store.findHead(db, tenantId));
    if (options.replaces !== undefined && options.replaces !== head.policyId)
      throw new OarsError("PRECONDITION_FAILED");
    if (head.policyId === id && head.schema === bundle.schema)
      throw new OarsError("POLICY_ALREADY_PUBLISHED");
    if (version.state === "draft" && head.policyId !== null) await deps.mayPublish(tenantId, id);
    const replaced = head.policyId === null ? null : await numberOf(deps.db, tenantId, head.policyId);
    const writes = new WriteSet();
    const said = {
      type: options.rollback ? "policy.rolled_back" : "policy.published",
      permission: "policies:publish",
      message: publicationMessage(version, replaced),
      policy: policyOf(version, bundle.schema, deps.workshop.engine),
    } as const;
    await deps.receipts.add(writes, policyReceipt(caller, said));
    const done = await deps.db.tx(tenantId, async (tx) => {
      if ((await store.lockHead(tx, tenantId)).revision !== head.revision) return undefined;
      const row = await store.publishVersion(tx, tenantId, caller.principalId, publication);
      await applyWrites(tx, writes);
      await deps.events?.record(tx, {
        tenantId,
        type: said.type,
        actor: caller,
        target: { kind: "policy", id: formatId("policy", id) },
        details: { version: version.version, replaces: replaced },
      });
      tx.onCommit(() => deps.published(tenantId));
      return row;
    });
    if (done !== undefined) return done;
    if (attempt >= attempts) throw new OarsError("SERVER_BUSY", { seconds: 1 });
  }
}

export interface RolledBack {
  readonly policy: PolicyVersion;
  /** The version that was in force until then. */
  readonly previousId: string | null;
}

/**
 * Puts a version in force that was in force before: the given one, else the one before the present. Only in place
 * of the version that is in force when it begins. Errors: as of a publication, and POLICY_NEVER_PUBLISHED.
 */
export async function rollBack(
  deps: PublishDeps,
  caller: Caller,
  id: string | null,
  options: PublishOptions = {},
): Promise<RolledBack> {
  requirePermission(caller, "policies:publish");
  const { tenantId } = caller;
  const { policyId: previousId } = await deps.db.read(tenantId, (db) => store.findHead(db, tenantId));
  if (id !== null && id === previousId) throw new OarsError("POLICY_ALREADY_PUBLISHED");
  const wanted = id ?? (await deps.db.read(tenantId, (db) => store.findPrevious(db, tenantId)));
  if (wanted === undefined) throw new OarsError("POLICY_NEVER_PUBLISHED");
  const version = await deps.db.read(tenantId, (db) => store.findVersion(db, tenantId, wanted));
  if (version === undefined) throw new OarsError("POLICY_NOT_FOUND");
  if (version.state === "draft") throw new OarsError("POLICY_NEVER_PUBLISHED");
  const replaces = options.replaces === undefined ? previousId : options.replaces;
  const policy = await publishVersion(deps, caller, wanted, { replaces, rollback: true });
  return { policy, previousId };
}

const numberOf = async (db: Database, tenantId: string, id: string): Promise<number | null> =>
  (await db.read(tenantId, (reader) => store.findVersion(reader, tenantId, id)))?.version ?? null;
