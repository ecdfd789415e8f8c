/** Wires the rooms that ask people: workflows, second factors, approvals and the links to them. */
import {
  type ApprovalLinks,
  type Approvals,
  type ArgumentsOf,
  createApprovalLinks,
  createApprovals,
} from "#act/approvals";
import type { Catalogue } from "#act/catalogue";
import { createFactors, type Factors } from "#act/factors";
import { createWorkflows, type Workflows } from "#act/workflows";
import type { Database } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import type { Job, Outbox } from "#platform/jobs";
import type { Clock } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import type { Receipts } from "#sign/receipts";

export interface ApprovalWing {
  readonly workflows: Workflows;
  readonly factors: Factors;
  readonly approvals: Approvals;
  readonly approvalLinks: ApprovalLinks;
}

export function composeApprovals(deps: {
  readonly db: Database;
  readonly vault: Vault;
  readonly receipts: Receipts;
  readonly outbox: Outbox;
  readonly events: SecurityEvents;
  readonly clock: Clock;
  readonly publicUrl: string;
  /** The installation's key; the key of links is derived from it. */
  readonly secret: Uint8Array;
  /** The action with its input, which its approvers see. */
  readonly loadAction: (
    tenantId: string,
    id: string,
  ) => Promise<{ readonly input: unknown; readonly tool: string } | undefined>;
  readonly catalogue: Pick<Catalogue, "tool">;
}): ApprovalWing {
  const { db, vault, receipts, outbox, events, clock, publicUrl, secret } = deps;
  const workflows = createWorkflows({ db, receipts, events });
  const factors = createFactors({ db, vault, receipts, events, publicUrl });
  const argumentsOf: ArgumentsOf = async (tenantId, actionId) => {
    const action = await deps.loadAction(tenantId, actionId);
    if (!action) return undefined;
    const tool = await deps.catalogue.tool(tenantId, action.tool);
    return { input: action.input, hide: tool?.overrides.redact ?? [] };
  };
  const approvals = createApprovals({ db, receipts, outbox, events, workflows, factors, argumentsOf });
  const approvalLinks = createApprovalLinks({ secret, publicUrl, clock });
  return { workflows, factors, approvals, approvalLinks };
}

const atOnce = 100;

/** Timers of approvals, and tidying: one process at a time does each, whichever claims it. */
export const approvalJobs = ({ approvals, factors }: Pick<ApprovalWing, "approvals" | "factors">): Job[] => [
  {
    name: "approval-expiry",
    everyMs: 10_000,
    work: async () => {
      const next = await approvals.nextTimer();
      if (next === null || next > 0) return next;
      const expired = await approvals.expireDue(atOnce);
      const escalated = await approvals.escalateDue(atOnce);
      return expired + escalated.length > 0 ? 0 : null;
    },
  },
  {
    name: "step-up-challenges",
    everyMs: 3_600_000,
    work: async () => ((await factors.purge(1_000)) === 1_000 ? 0 : null),
  },
];
