/**
 * Security events of actions, in the commits that record them. What is allowed and ends well writes none, unless its
 * risk is high: the common path has no statement more for them.
 */
import type { OperationOutcome } from "#act/connectors";
import type { Decision } from "#act/policy";
import type { WriteSet } from "#platform/db";
import type { EventType, SecurityEvents, Severity } from "#platform/events";
import { formatId, type Json } from "#platform/kernel";
import type { Recorded } from "./record.ts";

export type ActionEvents = Pick<SecurityEvents, "record" | "count">;

/** From here on an execution is told of even if it went well. */
const highRisk = 70;
const criticalRisk = 90;

const detailsOf = (r: Recorded, risk: number | null): Record<string, Json> => ({
  tool: r.tool,
  connection: r.server,
  operation: r.operation,
  resource: r.target,
  environment: r.environment,
  digest: r.digest,
  ...(risk === null ? {} : { risk }),
  ...(r.runId === null ? {} : { runId: formatId("run", r.runId), step: r.step }),
});

const told = (r: Recorded, type: EventType) => ({
  tenantId: r.tenantId,
  type,
  actor: r.caller,
  target: { kind: "action", id: formatId("action", r.actionId) },
});

const stopped: Partial<Record<Decision["effect"], EventType>> = {
  deny: "action.denied",
  quarantine: "action.quarantined",
};

/** Adds what the decision stopped; what it holds is told with the approval. */
export function tellDecision(
  events: ActionEvents | undefined,
  into: WriteSet,
  r: Recorded,
  decision: Decision,
  risk: number,
): void {
  const type = stopped[decision.effect];
  if (events === undefined || type === undefined) return;
  const details = { ...detailsOf(r, risk), reasons: [...decision.reasons].slice(0, 20) };
  void events.record(into, { ...told(r, type), message: decision.message, details }); // nothing to wait for
  if (decision.errors.length > 0)
    events.count({
      ...told(r, "policy.failed"),
      details: { errors: decision.errors.slice(0, 5).map((e) => e.slice(0, 300)) },
    });
}

/** Adds that what was approved or is to be sent again is denied now. */
export function tellDenial(
  events: ActionEvents | undefined,
  into: WriteSet,
  r: Recorded,
  code: string,
  message: string,
): void {
  const details = { ...detailsOf(r, null), code };
  void events?.record(into, { ...told(r, "action.denied"), message, details });
}

/** Adds an execution that failed, whose outcome is unknown, or that was of high risk. */
export function tellOutcome(
  events: ActionEvents | undefined,
  into: WriteSet,
  r: Recorded,
  outcome: OperationOutcome,
  known: number | null,
): void {
  const risk = known ?? 0;
  if (events === undefined || (outcome.status === "completed" && risk < highRisk)) return;
  const grave: Severity = risk >= criticalRisk ? "critical" : risk >= highRisk ? "high" : "medium";
  const details = detailsOf(r, known);
  if (outcome.status === "completed") {
    void events.record(into, { ...told(r, "action.high_risk"), severity: grave, details });
    return;
  }
  const failure = { ...details, code: outcome.error.code, attempt: r.attempt };
  const type = outcome.status === "unknown" ? "action.in_doubt" : "action.failed";
  const severity: Severity =
    grave === "critical" ? "critical" : type === "action.in_doubt" ? "high" : "medium";
  void events.record(into, { ...told(r, type), severity, details: failure });
}

/** Adds what a person did to an action. */
export function tellOperated(
  events: ActionEvents | undefined,
  into: WriteSet,
  r: Recorded,
  type: "action.cancelled" | "action.resolved",
  details: Record<string, Json>,
): void {
  void events?.record(into, { ...told(r, type), details: { ...detailsOf(r, null), ...details } });
}
