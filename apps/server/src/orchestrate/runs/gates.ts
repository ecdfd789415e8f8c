/**
 * Questions that runs put to people.
 *
 * O4 a gate is answered once, by a principal with one of its roles who is not its requester nor acts for them; whoever
 *    comes later is told the first decision.
 */
import {
  answerGate,
  type GateDecision,
  isEnded,
  lockRun,
  resolveWaits,
  type TakenRun,
} from "#orchestrate/engine";
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Tx, WriteSet } from "#platform/db";
import { formatId, OarsError } from "#platform/kernel";
import type { RunsDeps } from "./deps.ts";
import { findGate, type GateFilter, type GateView, listGates } from "./gate-store.ts";
import { signer } from "./order.ts";
import { storable } from "./storable.ts";

export interface Answer {
  readonly decision: GateDecision;
  /** With retry. */
  readonly edits?: Record<string, unknown> | undefined;
  /** With continue: in place of the step's own output. */
  readonly output?: unknown;
  readonly note?: string | undefined;
}

export async function showGate(deps: RunsDeps, caller: Caller, id: string): Promise<GateView> {
  requirePermission(caller, "runs:read");
  const gate = await deps.db.read(caller.tenantId, (db) => findGate(db, caller.tenantId, id));
  if (!gate) throw new OarsError("GATE_NOT_FOUND");
  return gate;
}

export async function pageOfGates(deps: RunsDeps, caller: Caller, filter: GateFilter): Promise<GateView[]> {
  requirePermission(caller, "runs:read");
  return deps.db.read(caller.tenantId, (db) => listGates(db, caller.tenantId, filter));
}

/** Errors: GATE_NOT_FOUND, GATE_CLOSED with the first decision, GATE_REQUESTER, GATE_ROLE, GATE_OPTION. */
export async function answer(deps: RunsDeps, caller: Caller, id: string, given: Answer): Promise<GateView> {
  const found = await showGate(deps, caller, id);
  const requester = await deps.whoIs(caller.tenantId, found.requestedBy);
  const output = given.output === undefined ? undefined : storable("output", given.output);
  if (given.edits) storable("edits", given.edits);
  if (given.note) storable("note", given.note);
  const { tenantId } = caller;
  return deps.db.tx(tenantId, async (tx) => {
    const run = await lockRun(tx, tenantId, found.runId);
    const gate = await findGate(tx, tenantId, id);
    if (!run || !gate) throw new OarsError("GATE_NOT_FOUND");
    if (gate.status !== "open" || isEnded(run.status)) throw closed(gate, run);
    requireMayAnswer(caller, gate, requester);
    requireOffered(gate, given.decision);
    const row = { tenantId, id, decision: given.decision, edits: given.edits ?? null, output };
    const first = await answerGate(tx, { ...row, answeredBy: caller.principalId, note: given.note ?? null });
    if (!first) throw closed(await findGate(tx, tenantId, id), run); // its time ran out in this moment
    await resolveWaits(tx, tenantId, "gate", id);
    await sign(deps, tx, caller, run, gate, given);
    deps.fault("runs.in-answer");
    tx.onCommit(() => deps.fault("runs.after-answer"));
    tx.onCommit(() => deps.engine.rouse(run.id));
    const after = await findGate(tx, tenantId, id);
    if (!after) throw new Error(`gate ${id} went away under its run's lock`);
    return after;
  });
}

function closed(gate: GateView | undefined, run: TakenRun): OarsError {
  const status = gate === undefined || gate.status === "open" ? "cancelled" : gate.status;
  const decision = gate?.decision ?? null;
  const current = {
    status,
    decision,
    answeredBy: gate?.answeredBy ? formatId("principal", gate.answeredBy) : null,
    answeredAt: gate?.answeredAt?.toISOString() ?? null,
    run: run.status,
  };
  const told = decision === null ? "" : `: ${decision}`;
  return new OarsError("GATE_CLOSED", { state: status, decision: told }, { current });
}

/** [O4] Neither who asked nor whoever acts for them: an agent of the requester is the requester's hand, and the other way round. */
function requireMayAnswer(caller: Caller, gate: GateView, requester: Caller): void {
  const excluded = [requester.principalId, ...(requester.ownerId ? [requester.ownerId] : [])];
  const isTheirs =
    excluded.includes(caller.principalId) || (caller.ownerId !== null && excluded.includes(caller.ownerId));
  if (gate.excludeRequester && isTheirs) throw new OarsError("GATE_REQUESTER");
  if (!gate.approvers.some((role) => caller.roles.includes(role)))
    throw new OarsError("GATE_ROLE", { role: gate.approvers.join(" or ") });
}

function requireOffered(gate: GateView, decision: GateDecision): void {
  if (gate.options.includes(decision)) return;
  const options = gate.options.join(", ");
  const problem = { path: "decision", code: "not_offered", message: `must be one of ${options}` };
  throw new OarsError("GATE_OPTION", { options, decision }, { errors: [problem] });
}

async function sign(
  deps: RunsDeps,
  tx: Tx,
  caller: Caller,
  run: TakenRun,
  gate: GateView,
  given: Answer,
): Promise<void> {
  const { decision, note, edits, output } = given;
  const disclose = {
    ...(note ? { note } : {}),
    ...(edits ? { edits } : {}),
    ...(output === undefined ? {} : { output }),
  };
  const into = new WriteSet();
  await deps.receipts.add(
    into,
    {
      tenantId: run.tenantId,
      type: "gate.answered",
      runId: run.id,
      step: gate.step,
      flow: { name: run.flowName, version: run.flowVersion, hash: run.flowHash },
      principal: signer(caller),
      operation: { command: "answer", gate: gate.id, decision },
      ...(Object.keys(disclose).length > 0 ? { disclose } : {}),
    },
    tx,
  );
  await applyWrites(tx, into);
}
