/** What approvers see. */
import { type Caller, requirePermission } from "#platform/access";
import type { Db } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { rightsLentTo } from "./delegation-store.ts";
import type { Approval } from "./domain.ts";
import { type ApprovalsDeps, isExcluded, stateOf, toView } from "./parts.ts";
import {
  type ApprovalFilter,
  type Earlier,
  findNames,
  type Looking,
  listApprovals,
  listEarlier,
} from "./reading-store.ts";
import { type Difference, differences, redacted } from "./redaction.ts";
import { accepts, byPrincipal, byRole } from "./seats.ts";
import { openTo, progressOf } from "./stages.ts";
import * as store from "./store.ts";

/** What only the actions know: the arguments in clear, and which of them the tool's settings hide. */
export type ArgumentsOf = (
  tenantId: string,
  actionId: string,
) => Promise<{ readonly input: unknown; readonly hide?: readonly string[] } | undefined>;

export interface Detail {
  readonly approval: Approval;
  /** For who may decide; null for others. Secrets are hidden. */
  readonly arguments: unknown;
  readonly chain: readonly { readonly id: string; readonly name: string; readonly kind: string }[];
  readonly earlier: readonly Earlier[];
  /** Against the latest earlier try of the same requester with the same tool and target; null when there is none. */
  readonly changes: { readonly since: string; readonly differences: readonly Difference[] } | null;
  /** Whether the caller may vote now. */
  readonly mine: boolean;
}

const mostEarlier = 10;

async function lookOf(db: Db, caller: Caller): Promise<Looking> {
  const own = caller.permissions.has("approvals:decide") ? caller.roles.map(byRole) : [];
  const lent = await rightsLentTo(db, caller.tenantId, caller.principalId, null);
  const tokens = [
    ...(own.length > 0 || lent.length > 0 ? ["anyone"] : []),
    ...own,
    byPrincipal(caller.principalId),
    ...lent.flatMap((l) => [...l.roles.map(byRole), byPrincipal(l.fromId)]),
  ];
  return { principalId: caller.principalId, tokens: caller.principalKind === "user" ? tokens : [] };
}

export async function list(deps: ApprovalsDeps, caller: Caller, filter: ApprovalFilter): Promise<Approval[]> {
  requirePermission(caller, "approvals:read");
  const { tenantId } = caller;
  const rows = await deps.db.read(tenantId, async (db) =>
    listApprovals(db, tenantId, filter, filter.mine ? await lookOf(db, caller) : nobody),
  );
  return rows.map(toView);
}

const nobody: Looking = { principalId: "00000000-0000-0000-0000-000000000000", tokens: [] };

export async function detail(
  deps: ApprovalsDeps,
  argumentsOf: ArgumentsOf,
  caller: Caller,
  id: string,
): Promise<Detail> {
  requirePermission(caller, "approvals:read");
  const { tenantId } = caller;
  const { found, earlier, names, look } = await deps.db.read(tenantId, async (db) => {
    const found = await store.findApproval(db, tenantId, id);
    if (!found) throw new OarsError("APPROVAL_NOT_FOUND");
    const { tool, target, chain = [found.requesterId] } = found.subject;
    return {
      found,
      earlier: await listEarlier(db, tenantId, { id, tool, target, limit: mostEarlier }),
      names: await findNames(db, tenantId, chain),
      look: await lookOf(db, caller),
    };
  });
  const decides = caller.permissions.has("approvals:decide") || isMine(found, caller, look);
  const shown = decides ? await argumentsOf(tenantId, found.actionId) : undefined;
  const before = earlier.find((e) => e.requesterId === found.requesterId);
  const { chain = [found.requesterId] } = found.subject;
  return {
    approval: toView(found),
    arguments: shown ? redacted(shown.input, shown.hide) : null,
    chain: chain.flatMap((link) => names.filter((n) => n.id === link)),
    earlier,
    changes: shown && before ? await changesSince(argumentsOf, tenantId, before, shown) : null,
    mine: isMine(found, caller, look),
  };
}

async function changesSince(
  argumentsOf: ArgumentsOf,
  tenantId: string,
  before: Earlier,
  shown: { readonly input: unknown; readonly hide?: readonly string[] },
): Promise<Detail["changes"]> {
  const then = await argumentsOf(tenantId, before.actionId);
  if (!then) return null;
  const found = differences(redacted(then.input, then.hide), redacted(shown.input, shown.hide));
  return { since: before.id, differences: found };
}

const isMine = (approval: store.LockedApproval, caller: Caller, look: Looking): boolean =>
  stateOf(approval) === "pending" &&
  !isExcluded(caller, approval.excluded) &&
  !approval.votes.some((v) => v.principalId === caller.principalId || v.onBehalfOf === caller.principalId) &&
  accepts(openTo(approval.stages, progressOf(approval.stages, approval.votes).open), new Set(look.tokens)) &&
  look.tokens.includes("anyone");
