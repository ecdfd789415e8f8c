/** A proposal that comes over the API: once for one key, in whose name it may be, and how long to wait for it. */
import { type Caller, requirePermission } from "#platform/access";
import { WriteSet } from "#platform/db";
import { isOarsError, newId, OarsError, sha256 } from "#platform/kernel";
import { actingFor, type BehalfDeps, ownBehalf } from "./behalf.ts";
import { type ContinuationDeps, record, runDetached } from "./continuation.ts";
import type { Declared } from "./declared.ts";
import { type Executable, type Proposed, perform, propose, settle } from "./execution.ts";
import type { Proposal } from "./proposal.ts";
import * as store from "./store.ts";
import { type ActionView, toFreshView, toView } from "./views.ts";
import type { OutcomeWaits, WaitOptions } from "./waiting.ts";

export interface Submission {
  readonly connection: string;
  readonly operation: string;
  readonly input: Record<string, unknown>;
  /** What the request says of itself; it can be refused for it, and nothing is weakened by it. */
  readonly declared?: Declared | undefined;
  /** Ids or names; absent: the caller. */
  readonly agentId?: string | undefined;
  readonly userId?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly timeoutMs?: number | undefined;
  /** Absent: until what is allowed has ended, and not for people. Of people and of outcomes, up to that long. */
  readonly wait?: WaitOptions | undefined;
}

export type SubmitDeps = ContinuationDeps & BehalfDeps & { readonly waits: OutcomeWaits };

const defaultTimeoutMs = 30_000;

export async function submit(deps: SubmitDeps, caller: Caller, s: Submission): Promise<ActionView> {
  requirePermission(caller, "actions:write");
  if (s.wait && s.wait.withinMs > 0) deps.waits.assertRoom();
  const named = s.agentId !== undefined || s.userId !== undefined;
  const acting = named ? await actingFor(deps, caller, s) : { caller, behalf: ownBehalf };
  const reservation = s.idempotencyKey ? sha256(`api\n${caller.principalId}\n${s.idempotencyKey}`) : null;
  const proposal: Proposal = {
    ...acting,
    declared: s.declared,
    connection: s.connection,
    operation: s.operation,
    input: s.input,
    reservation,
    fingerprint: reservation ? fingerprintOf(s) : undefined,
    effectKey: reservation ? reservation.toString("hex") : newId(),
    origin: null,
    timeoutMs: s.timeoutMs ?? defaultTimeoutMs,
  };
  const proposed = await propose(deps, proposal).catch((error: unknown) => earlier(deps, proposal, error));
  if ("answered" in proposed) return repeated(deps, caller, s, proposed.answered);
  return answer(deps, caller, s, proposed);
}

/** What makes two requests under one key the same one. */
const fingerprintOf = (s: Submission): Uint8Array =>
  sha256(JSON.stringify([s.connection, s.operation, s.input, s.agentId, s.userId, s.declared]));

/**
 * A request that cannot be proposed any more, because its connection is another one by now, still has the answer of
 * the first time.
 */
async function earlier(
  deps: SubmitDeps,
  p: Proposal,
  error: unknown,
): Promise<{ readonly answered: store.StoredAction }> {
  const { reservation } = p;
  if (!reservation || !isOarsError(error) || error.status >= 500) throw error;
  const { tenantId } = p.caller;
  const found = await deps.db.read(tenantId, (db) => store.findReserved(db, tenantId, reservation));
  if (!found || !isSame(found.fingerprint, p.fingerprint)) throw error;
  return { answered: found.action };
}

const isSame = (one: Uint8Array | null, other: Uint8Array | undefined): boolean =>
  one !== null && other !== undefined && Buffer.compare(one, other) === 0;

async function answer(
  deps: SubmitDeps,
  caller: Caller,
  s: Submission,
  proposed: Proposed,
): Promise<ActionView> {
  const { tenantId } = caller;
  switch (proposed.kind) {
    case "execute": {
      const { actionId } = proposed.action.recorded;
      if (!s.wait) return performNow(deps, caller, proposed.action);
      const outcome = deps.waits.wait(tenantId, actionId, s.wait);
      runDetached(deps, proposed.action);
      await outcome;
      return mustLoad(deps, caller, actionId);
    }
    case "held":
      if (s.wait) await deps.waits.wait(tenantId, proposed.actionId, s.wait);
      return mustLoad(deps, caller, proposed.actionId);
    case "refused":
      return mustLoad(deps, caller, proposed.actionId);
    case "existing": {
      const { action, fingerprint, resolved } = proposed;
      if (action.digest !== resolved.digest && !isSame(fingerprint, fingerprintOf(s)))
        throw new OarsError("IDEMPOTENCY_CONFLICT");
      return repeated(deps, caller, s, action);
    }
    case "lost":
      throw new OarsError("SERVER_BUSY", { seconds: 1 });
  }
}

async function performNow(deps: SubmitDeps, caller: Caller, action: Executable): Promise<ActionView> {
  const done = await perform(deps, action);
  const set = new WriteSet();
  const end = await settle(deps, action, done, set);
  const { row, recorded, resolved } = action;
  const { tenantId, actionId, runId } = recorded;
  const { ok } = await record(deps, set, { tenantId, actionId, runId });
  if (!ok || !row) return mustLoad(deps, caller, actionId);
  return toFreshView(row, end, resolved.input, done.outcome);
}

/** A duplicate waits for the first one's outcome, as long as the first one would, then answers how it stands. */
async function repeated(
  deps: SubmitDeps,
  caller: Caller,
  s: Submission,
  action: store.StoredAction,
): Promise<ActionView> {
  const isUnderWay = action.state === "executing";
  if (!isUnderWay && !(s.wait && action.state === "pending_approval")) return toView(deps, action, caller);
  await deps.waits.wait(action.tenantId, action.id, s.wait ?? { withinMs: action.timeoutMs });
  return mustLoad(deps, caller, action.id);
}

export async function mustLoad(deps: ContinuationDeps, caller: Caller, id: string): Promise<ActionView> {
  const found = await deps.db.read(caller.tenantId, (db) => store.findAction(db, caller.tenantId, id));
  if (!found) throw new OarsError("ACTION_NOT_FOUND");
  return toView(deps, found, caller);
}
