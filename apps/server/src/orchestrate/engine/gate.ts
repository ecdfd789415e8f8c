/** Acting on the answer of a gate, or on its silence. The question is put in open-gate.ts. */
import { WriteSet } from "#platform/db";
import { findGate, type GateRow } from "./control-store.ts";
import { type GateDecision, gateAborted, restart } from "./domain.ts";
import { fromRow, isOutside, loadAll } from "./payloads.ts";
import { type Attempt, completeStep, failStep } from "./step-end.ts";
import { expireGate } from "./writes.ts";

/** The gate was answered, or its time is up. */
export async function followGate(attempt: Attempt, gateId: string): Promise<void> {
  const { execution, state } = attempt;
  const { run, deps } = execution;
  const gate = await deps.db.read(run.tenantId, (db) => findGate(db, run.tenantId, gateId));
  if (!gate) throw new Error(`gate ${gateId} is gone`);
  if (gate.status !== "open") return decide(attempt, gate);
  const decision = gate.defaultDecision ?? "timeout";
  const into = new WriteSet().add(expireGate, { tenant_id: run.tenantId, id: gateId, decision });
  const closed = await execution.writer.commitEffect(into);
  deps.fault("engine.after-gate-time");
  if (!closed.ok && closed.fence !== expireGate.name) return execution.surrender();
  const now = await deps.db.read(run.tenantId, (db) => findGate(db, run.tenantId, gateId));
  if (!now || now.status === "open") throw new Error(`gate ${gateId} neither closed nor answered`);
  state.gated ??= { output: fromRow(now.output) };
  return decide(attempt, now);
}

async function decide(attempt: Attempt, gate: GateRow): Promise<void> {
  const { execution, state } = attempt;
  const operator = {
    command: "gate" as const,
    ...(gate.answeredBy ? { principalId: gate.answeredBy } : {}),
    ...(gate.note ? { reason: gate.note } : {}),
  };
  switch (gate.decision as GateDecision | "timeout") {
    case "continue": {
      const given = gate.hasEditedOutput ? gate.editedOutput : (state.gated?.output ?? null);
      const output = isOutside(given) ? await loadAll(execution.deps.blobs, execution.key, given) : given;
      const { standsFor } = state.gated ?? {};
      return completeStep(attempt, output, { operator, passed: true, ...(standsFor ? { standsFor } : {}) });
    }
    case "retry": {
      const ms = Math.round(performance.now() - attempt.started);
      execution.writer.journal(attempt, {
        event: "retrying",
        operator: { ...operator, edits: gate.edits },
        ms,
      });
      if (attempt.step.forEach) execution.state.items(attempt.step).restart("all", gate.edits);
      restart(state, gate.edits);
      delete execution.state.scope.steps[attempt.step.name];
      return;
    }
    case "abort":
      return failStep(attempt, {
        error: { code: gateAborted, message: "The run was ended at a gate." },
        isFinal: true,
      });
    default:
      return failStep(attempt, {
        error: { code: "GATE_TIMEOUT", message: "Nobody answered the gate in time." },
        passed: true,
      });
  }
}
