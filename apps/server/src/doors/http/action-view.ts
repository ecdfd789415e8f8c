/** Actions as the API shows them. */
import type { ActionDetail, ActionSummary, ActionView } from "#act/actions";
import { etagOf } from "#act/actions";
import { shown, shownOrNull } from "./wire-id.ts";

export const toSummary = (a: ActionSummary) => ({
  id: shown("action", a.id),
  state: a.state,
  connection: a.connection,
  operation: a.operation,
  tool: a.tool,
  verb: a.verb,
  target: a.target,
  environment: a.environment,
  digest: a.digest,
  facts: a.facts,
  error: a.error,
  httpStatus: a.http,
  requestedBy: shown("principal", a.principalId),
  requestedFor: shownOrNull("principal", a.userId),
  submittedBy: shownOrNull("principal", a.submitterId),
  sessionId: a.declared?.sessionId ?? null,
  dataTypes: a.declared?.dataTypes ?? [],
  runId: shownOrNull("run", a.runId),
  step: a.step,
  approvalId: shownOrNull("approval", a.approvalId),
  receiptId: shownOrNull("receipt", a.receiptId),
  decision: a.decision,
  attempt: a.attempt,
  idempotent: a.idempotent,
  effectKey: a.effectKey,
  createdAt: a.createdAt,
  startedAt: a.startedAt,
  endedAt: a.endedAt,
  etag: etagOf(a),
});

export const toAction = (a: ActionView) => ({
  ...toSummary(a),
  input: a.input,
  output: a.output,
  outputWithheld: a.outputWithheld,
});

export const toDetail = (a: ActionDetail) => ({
  ...toAction(a),
  timeline: a.timeline,
  approvalProgress: a.approvalProgress,
});

const underWay: ReadonlySet<ActionView["state"]> = new Set([
  "proposed",
  "pending_approval",
  "approved",
  "executing",
  "quarantined",
  "in_doubt",
]);

/** It runs, or waits for somebody: there is more to come. */
export const isUnderWay = (state: ActionView["state"]): boolean => underWay.has(state);
