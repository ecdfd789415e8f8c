/** What would happen if: one action, or those of the past, against any version; and what a candidate would change. */
import {
  type Difference,
  findAskedAction,
  listDifferences,
  openAsked,
  requestFor,
  resolveProposal,
} from "#act/actions";
import type { DecisionRequest, Disclosed, Explanation, Policy, PolicyVersion } from "#act/policy";
import { type Caller, requirePermission } from "#platform/access";
import { type Clock, formatId, newId, OarsError } from "#platform/kernel";
import { discloseDecision, type SignedDecision } from "./disclosure.ts";
import type { Replay } from "./domain.ts";
import { type ReplayDeps, workOnReplay } from "./replay.ts";
import * as store from "./store.ts";

export interface RehearsalsDeps extends Omit<ReplayDeps, "policy"> {
  readonly policy: Pick<
    Policy,
    "judge" | "versionFor" | "versionNumbered" | "simulate" | "disclose" | "inForce" | "replayRequired"
  >;
  readonly registers: Parameters<typeof resolveProposal>[0];
  readonly clock: Clock;
  /** Somebody of the tenant as a caller. Throws PRINCIPAL_NOT_FOUND, PRINCIPAL_DISABLED. */
  readonly callerFor: (tenantId: string, principalId: string) => Promise<Caller>;
  /** Whether drafts need a replay where the tenant has not said. */
  readonly replayRequired: boolean;
}

/** An action as it could be proposed, and who would propose it. */
export interface Imagined {
  readonly connection: string;
  readonly operation: string;
  readonly input: Record<string, unknown>;
  /** Somebody else of the tenant; the caller when left out. */
  readonly principalId?: string | undefined;
  /** What is different from now. */
  readonly context?: Overrides | undefined;
}

export interface Overrides {
  readonly now?: Date | undefined;
  readonly environment?: string | undefined;
  readonly risk?: number | undefined;
  readonly dataTypes?: readonly string[] | undefined;
  readonly approvals?: DecisionRequest["approvals"] | undefined;
  readonly counters?: Readonly<Record<string, number>> | undefined;
}

export type Simulated = Explanation & { readonly version: PolicyVersion; readonly request: DecisionRequest };

export interface Rehearsals {
  /**
   * What a version (null: the one in force) would say to an action that nobody proposed. Nothing is stored, nothing is
   * sent. Needs policies:read. Errors: those of `Policy.simulate`, ACTION_INVALID, CONNECTION_NOT_FOUND, PRINCIPAL_NOT_FOUND.
   */
  simulate(
    caller: Caller,
    policyId: string | null,
    what: Imagined | { readonly request: DecisionRequest },
  ): Promise<Simulated>;
  /** Why an action was decided as it was; or would be by another version. Errors: ACTION_NOT_FOUND, ACTION_NOT_EXPLAINED. */
  explain(caller: Caller, actionId: string, policyId?: string): Promise<Simulated>;
  /** What a signed decision was made of. Needs receipts:disclose. Errors: RECEIPT_NOT_REPLAYABLE, RECEIPT_ERASED. */
  disclose(caller: Caller, signed: SignedDecision): Promise<Disclosed>;
  /** Begins in the background. Needs policies:read and policies:write. Errors: POLICY_NOT_FOUND, POLICY_REPLAYS_OPEN. */
  replay(caller: Caller, policyId: string, how: { days: number | null; most: number }): Promise<Replay>;
  /** Errors: POLICY_REPLAY_NOT_FOUND. */
  findReplay(caller: Caller, id: string): Promise<Replay>;
  listReplays(
    caller: Caller,
    page: { policyId: string | null; before: string | null; limit: number },
  ): Promise<Replay[]>;
  /** Actions that the candidate would have decided otherwise, newest first. Needs policies:read. */
  differences(
    caller: Caller,
    page: { policyId: string | null; before: string | null; limit: number },
  ): Promise<Difference[]>;
  /** Throws POLICY_REPLAY_REQUIRED where one is asked for and has not completed against the version in force. */
  mayPublish(tenantId: string, policyId: string): Promise<void>;
  /** Works on what waits. Returns whether there may be more. */
  work(): Promise<boolean>;
  stop(): Promise<void>;
}

const mostOpen = 5;

export function createRehearsals(deps: RehearsalsDeps): Rehearsals {
  const stopping = new AbortController();
  let busy: Promise<boolean> | undefined;
  const work = (): Promise<boolean> => {
    if (stopping.signal.aborted) return Promise.resolve(false);
    busy ??= workOnReplay(deps, stopping.signal).finally(() => {
      busy = undefined;
    });
    return busy;
  };
  const inBackground = (): void => {
    void work()
      .then((more) => {
        if (more) inBackground();
      })
      .catch((error) => deps.onError(error, "policy replay"));
  };
  return {
    simulate: (caller, policyId, what) => simulate(deps, caller, policyId, what),
    explain: (caller, actionId, policyId) => explain(deps, caller, actionId, policyId),
    disclose: (caller, signed) => discloseDecision(deps, caller, signed),
    async replay(caller, policyId, how) {
      requirePermission(caller, "policies:write");
      const { tenantId } = caller;
      await deps.policy.versionFor(tenantId, policyId);
      const againstId = await deps.policy.inForce(tenantId);
      const made = await deps.db.tx(tenantId, async (tx) => {
        if ((await store.countOpen(tx, tenantId)) >= mostOpen) throw new OarsError("POLICY_REPLAYS_OPEN");
        return store.insertReplay(tx, {
          ...how,
          tenantId,
          id: newId(),
          policyId,
          againstId,
          createdBy: caller.principalId,
        });
      });
      inBackground();
      return made;
    },
    async findReplay(caller, id) {
      requirePermission(caller, "policies:read");
      const found = await deps.db.read(caller.tenantId, (db) => store.findReplay(db, caller.tenantId, id));
      if (found === undefined) throw new OarsError("POLICY_REPLAY_NOT_FOUND");
      return found;
    },
    async listReplays(caller, page) {
      requirePermission(caller, "policies:read");
      return deps.db.read(caller.tenantId, (db) => store.listReplays(db, caller.tenantId, page));
    },
    async differences(caller, { policyId, ...page }) {
      requirePermission(caller, "policies:read");
      const candidate = policyId === null ? null : formatId("policy", policyId);
      return deps.db.read(caller.tenantId, (db) =>
        listDifferences(db, caller.tenantId, { ...page, policyId: candidate }),
      );
    },
    async mayPublish(tenantId, policyId) {
      if (!((await deps.policy.replayRequired(tenantId)) ?? deps.replayRequired)) return;
      const againstId = await deps.policy.inForce(tenantId);
      if (await deps.db.read(tenantId, (db) => store.hasCompleted(db, tenantId, policyId, againstId))) return;
      throw new OarsError("POLICY_REPLAY_REQUIRED");
    },
    work,
    async stop() {
      stopping.abort();
      await busy?.catch(() => {}); // it was reported where it failed
    },
  };
}

async function simulate(
  deps: RehearsalsDeps,
  caller: Caller,
  policyId: string | null,
  what: Imagined | { readonly request: DecisionRequest },
): Promise<Simulated> {
  requirePermission(caller, "policies:read");
  const request =
    "request" in what ? { ...what.request, tenantId: caller.tenantId } : await imagine(deps, caller, what);
  return { ...(await deps.policy.simulate(caller, policyId, request)), request };
}

async function imagine(deps: RehearsalsDeps, caller: Caller, what: Imagined): Promise<DecisionRequest> {
  const { tenantId } = caller;
  const { principalId } = what;
  const who = principalId === undefined ? caller : await deps.callerFor(tenantId, principalId);
  const proposal = {
    caller: who,
    connection: what.connection,
    operation: what.operation,
    input: what.input,
    reservation: null,
    effectKey: "simulated",
    origin: null,
    timeoutMs: 1_000,
  };
  const resolved = await resolveProposal(deps.registers, proposal);
  const { now, environment, risk, dataTypes, approvals, counters } = what.context ?? {};
  const asked = requestFor(proposal, resolved, approvals ?? { count: 0, roles: [] }, now ?? deps.clock.now());
  const behind = who.principalKind !== "user" && who.ownerId !== null;
  const person = behind ? await deps.callerFor(tenantId, who.ownerId ?? "") : undefined;
  return {
    ...asked,
    tool: {
      ...asked.tool,
      ...(environment === undefined ? {} : { environment }),
      ...(risk === undefined ? {} : { risk }),
      ...(dataTypes === undefined ? {} : { dataTypes }),
    },
    onBehalfOf: person ? { id: person.principalId, kind: person.principalKind, roles: person.roles } : null,
    counters: counters ?? {},
  };
}

async function explain(
  deps: RehearsalsDeps,
  caller: Caller,
  actionId: string,
  policyId?: string,
): Promise<Simulated> {
  requirePermission(caller, "policies:read");
  const { tenantId } = caller;
  const found = await deps.db.read(tenantId, (db) => findAskedAction(db, tenantId, actionId));
  if (found === undefined) throw new OarsError("ACTION_NOT_FOUND");
  const asked = await openAsked(deps.vault, tenantId, actionId, found.asked);
  const decidedBy =
    asked?.version == null ? undefined : await deps.policy.versionNumbered(tenantId, Number(asked.version));
  const wanted = policyId ?? decidedBy;
  if (asked === undefined || wanted === undefined) throw new OarsError("ACTION_NOT_EXPLAINED");
  return { ...(await deps.policy.simulate(caller, wanted, asked.request)), request: asked.request };
}
