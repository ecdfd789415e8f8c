/**
 * What is sent to a run under a name that its flow waits for.
 *
 * O5 a signal is kept from the moment its sender has the answer; it wakes a run that waits and is kept for one that
 *    does not wait for it yet. Which step takes it, and that one alone does, is the engine's.
 */
import { countSignals, insertSignal, isEnded, lockRun, wakeRun } from "#orchestrate/engine";
import type { CompiledFlow } from "#orchestrate/flows";
import { transforms } from "#orchestrate/transforms";
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, WriteSet } from "#platform/db";
import { type FieldProblem, newId, OarsError } from "#platform/kernel";
import type { RunsDeps } from "./deps.ts";
import { currentOf } from "./etag.ts";
import { signer } from "./order.ts";
import { readRun, requireRun } from "./read.ts";
import { findSignal, listSignals, type SignalView } from "./signal-store.ts";
import { storable } from "./storable.ts";

export interface NewSignal {
  readonly name: string;
  readonly payload?: unknown;
}

/** Signals of one name that a run holds at most before it takes them. */
export const mostSignals = 1_000;

export async function pageOfSignals(
  deps: RunsDeps,
  caller: Caller,
  runId: string,
  page: { readonly before?: string | undefined; readonly limit: number },
): Promise<SignalView[]> {
  requirePermission(caller, "runs:read");
  return deps.db.read(caller.tenantId, async (db) => {
    await requireRun(db, caller.tenantId, runId);
    return listSignals(db, caller.tenantId, runId, page);
  });
}

/** Errors: RUN_NOT_FOUND, SIGNAL_UNKNOWN, SIGNAL_INVALID with all problems, RUN_ENDED, SIGNAL_BACKLOG. */
export async function sendSignal(
  deps: RunsDeps,
  caller: Caller,
  runId: string,
  { name, payload = null }: NewSignal,
): Promise<SignalView> {
  requirePermission(caller, "runs:signal");
  const { tenantId } = caller;
  const found = await readRun(deps, tenantId, runId);
  const flow = await deps.flows.compiled(tenantId, found.run.flowHash);
  const text = storable("payload", payload);
  await requireAwaited(flow, name, payload);
  return deps.db.tx(tenantId, async (tx) => {
    const run = await lockRun(tx, tenantId, runId);
    if (!run) throw new OarsError("RUN_NOT_FOUND");
    if (isEnded(run.status))
      throw new OarsError("RUN_ENDED", { state: run.status }, { current: currentOf(run) });
    if ((await countSignals(tx, tenantId, runId, name)) >= mostSignals)
      throw new OarsError("SIGNAL_BACKLOG", { limit: mostSignals, name, seconds: 10 });
    const id = newId();
    await insertSignal(tx, { tenantId, id, runId, name, payload: text, sentBy: caller.principalId });
    await wakeRun(tx, tenantId, runId);
    const into = new WriteSet();
    await deps.receipts.add(
      into,
      {
        tenantId,
        type: "signal.received",
        runId,
        flow: { name: run.flowName, version: run.flowVersion, hash: run.flowHash },
        principal: signer(caller),
        operation: { command: "signal", signal: name },
        disclose: { payload },
      },
      tx,
    );
    await applyWrites(tx, into);
    deps.fault("runs.in-signal");
    tx.onCommit(() => deps.fault("runs.after-signal"));
    tx.onCommit(() => deps.engine.rouse(runId));
    const kept = await findSignal(tx, tenantId, runId, id);
    if (!kept) throw new Error(`signal ${id} went away in its own transaction`);
    return kept;
  });
}

const validate = transforms.find((t) => t.name === "validate");

/** The payload must fit what one of the steps that wait for the name asks for. */
async function requireAwaited(flow: CompiledFlow, name: string, payload: unknown): Promise<void> {
  const schemas = flow.signals.get(name);
  if (!schemas) {
    const names = [...flow.signals.keys()].sort();
    const known = names.length === 0 ? "; it waits for none" : `; it waits for ${names.join(", ")}`;
    throw new OarsError("SIGNAL_UNKNOWN", { flow: flow.name, version: flow.version, name, known });
  }
  let errors: FieldProblem[] = [];
  for (const schema of schemas) {
    if (schema === null) return;
    const checked = await validate?.run({ input: payload, schema });
    if (checked?.ok) return;
    const { path = "", code = "SCHEMA_MISMATCH", message = "does not fit", details } = checked?.error ?? {};
    errors = Array.isArray(details)
      ? (details as unknown as FieldProblem[]) // the problems of the transform
      : [{ path, code, message }];
  }
  const inPayload = errors.map((e) => ({ ...e, path: `payload${e.path.replaceAll("/", ".")}` }));
  throw new OarsError("SIGNAL_INVALID", { name }, { errors: inPayload });
}
