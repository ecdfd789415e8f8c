/**
 * One order of an operator on one run: [O2] what it changes, the entries that say who ordered it, and its receipt are
 * one transaction, which holds the run's row. [O3] Of two orders at once the second sees what the first did.
 */
import {
  lockRun,
  type Operator,
  type OrderEntry,
  type RunStatus,
  readHeads,
  type TakenRun,
  takeRun,
} from "#orchestrate/engine";
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Tx, WriteSet } from "#platform/db";
import { OarsError } from "#platform/kernel";
import type { Situation } from "./decisions.ts";
import type { RunsDeps } from "./deps.ts";
import { requireMatch } from "./etag.ts";
import { type RunView, readRun, requireRun, toView } from "./read.ts";
import { listOpenActions } from "./store.ts";

export type OrderCommand = "retry" | "skip" | "edit-output" | "abort" | "pause" | "resume";

export interface Order {
  readonly command: OrderCommand;
  /** Why; recorded and signed. */
  readonly reason: string;
  /** Tags of which one must be the run's; undefined for no condition. */
  readonly ifMatch?: readonly string[] | undefined;
}

export interface Acting {
  readonly tx: Tx;
  readonly situation: Situation;
  /** Whoever started the run. */
  readonly requester: Caller;
  readonly caller: Caller;
  /** What goes with the order's commit. */
  readonly into: WriteSet;
  /** Who ordered it and why, as the journal keeps it. */
  readonly operator: Operator;
}

/** What an order came to. */
export interface Done {
  readonly to: RunStatus;
  readonly step?: string | undefined;
  readonly disclose?: Readonly<Record<string, unknown>>;
}

/** Errors: RUN_NOT_FOUND, PRECONDITION_FAILED, and those of `act`. */
export async function carryOut(
  deps: RunsDeps,
  caller: Caller,
  runId: string,
  order: Order,
  act: (acting: Acting) => Promise<Done>,
): Promise<RunView> {
  requirePermission(caller, "runs:operate");
  const { tenantId } = caller;
  const found = await readRun(deps, tenantId, runId);
  const flow = await deps.flows.compiled(tenantId, found.run.flowHash);
  const requester = await deps.whoIs(tenantId, found.run.startedBy);
  const takes = order.command === "abort" || order.command === "pause";
  const after = await deps.db.tx(tenantId, async (tx) => {
    const run = await (takes ? takeRun : lockRun)(tx, tenantId, runId);
    if (!run) throw new OarsError("RUN_NOT_FOUND");
    requireMatch(run, order.ifMatch);
    const heads = await readHeads(tx, tenantId, runId);
    const situation = { run, flow, heads, openActions: await listOpenActions(tx, tenantId, runId) };
    const into = new WriteSet();
    const { command, reason } = order;
    const operator: Operator = { command, principalId: caller.principalId, reason };
    const done = await act({ tx, situation, requester, caller, into, operator });
    await sign(deps, into, tx, { caller, run, order, done });
    await applyWrites(tx, into);
    deps.fault("runs.in-order");
    tx.onCommit(() => deps.fault("runs.after-order"));
    if (takes) tx.onCommit(() => deps.engine.surrender(runId));
    tx.onCommit(() => deps.engine.rouse(runId));
    return requireRun(tx, tenantId, runId);
  });
  return toView(after);
}

interface Signed {
  readonly caller: Caller;
  readonly run: TakenRun;
  readonly order: Order;
  readonly done: Done;
}

async function sign(
  deps: RunsDeps,
  into: WriteSet,
  tx: Tx,
  { caller, run, order, done }: Signed,
): Promise<void> {
  await deps.receipts.add(
    into,
    {
      tenantId: run.tenantId,
      type: "run.operated",
      runId: run.id,
      step: done.step ?? null,
      flow: { name: run.flowName, version: run.flowVersion, hash: run.flowHash },
      principal: signer(caller),
      operation: { command: order.command, from: run.status, to: done.to },
      disclose: { reason: order.reason, ...done.disclose },
    },
    tx,
  );
}

/** The acting principal, as receipts show it. */
export const signer = (caller: Caller) => ({
  id: caller.principalId,
  kind: caller.principalKind,
  ownerId: caller.ownerId,
  auth: { method: caller.credential.kind },
});

/** The failure that a run goes on from: an entry with the number that the run's end had. */
export const failureOf = (run: TakenRun): OrderEntry[] =>
  run.status === "failed"
    ? [{ step: "", event: "failed", error: run.error, operator: null, at: run.endedAt }]
    : [];
