/**
 * Every type of security event, with how grave it is and what it says. The table is total: a type that is not in it
 * does not compile. `counted` types are those that a stranger can cause as often as they like; they are kept as one
 * row for many occurrences (tally.ts).
 */
export const severities = ["info", "low", "medium", "high", "critical"] as const;
export type Severity = (typeof severities)[number];

/** Groups of types, as the classes of other formats need them. */
export type EventGroup =
  | "authentication"
  | "access"
  | "account"
  | "policy"
  | "action"
  | "approval"
  | "secret"
  | "evidence"
  | "alert"
  | "delivery"
  | "operation";

export interface EventSpec {
  readonly group: EventGroup;
  readonly severity: Severity;
  readonly outcome: "success" | "failure";
  readonly message: string;
  readonly counted?: true;
}

const good = (group: EventGroup, severity: Severity, message: string): EventSpec => ({
  group,
  severity,
  outcome: "success",
  message,
});
const bad = (group: EventGroup, severity: Severity, message: string): EventSpec => ({
  group,
  severity,
  outcome: "failure",
  message,
});
const many = (spec: EventSpec): EventSpec => ({ ...spec, counted: true });

export const eventCatalogue = {
  "authentication.failed": many(bad("authentication", "medium", "Credentials were refused.")),
  "authentication.step_up_failed": many(bad("authentication", "high", "A second factor was refused.")),
  "authentication.token_issued": many(good("authentication", "info", "A session token was issued.")),
  "authorization.denied": many(
    bad("access", "medium", "A request needed a permission that its caller lacks."),
  ),
  "tenant.access_denied": many(
    bad("access", "high", "A request named a tenant that its caller is no member of."),
  ),
  "tenant.foreign_id": many(bad("access", "high", "A request named an object of another tenant.")),
  "request.rate_limited": many(bad("access", "low", "A caller sent more requests than it may.")),

  "tenant.created": good("account", "medium", "A tenant was created."),
  "principal.created": good("account", "medium", "A principal was created."),
  "principal.changed": good("account", "medium", "Roles or status of a principal were changed."),
  "api_key.issued": good("account", "medium", "An API key was issued."),
  "api_key.revoked": good("account", "medium", "An API key was revoked."),
  "authenticator.changed": good("account", "medium", "A second factor was added or removed."),

  "policy.drafted": good("policy", "info", "A policy bundle was drafted."),
  "policy.published": good("policy", "medium", "A policy bundle was put in force."),
  "policy.rolled_back": good("policy", "high", "An earlier policy bundle was put in force again."),
  "policy.failed": many(bad("policy", "high", "A policy could not be evaluated.")),
  "tool.changed": good("policy", "high", "The definition of a tool changed."),
  "tool.reviewed": good("policy", "medium", "The definition of a tool was reviewed."),
  "connection.changed": good("policy", "medium", "A connection was created or changed."),
  "connection.deleted": good("policy", "medium", "A connection was deleted."),

  "action.denied": bad("action", "medium", "An action was denied."),
  "action.quarantined": bad("action", "high", "An action was quarantined."),
  "action.held": good("action", "low", "An action waits for approval."),
  "action.failed": bad("action", "medium", "An action failed."),
  "action.in_doubt": bad("action", "high", "It is unknown whether an action took effect."),
  "action.high_risk": good("action", "high", "An action of high risk was executed."),
  "action.resolved": good("action", "medium", "An operator settled an action."),
  "action.cancelled": good("action", "info", "An action was cancelled."),

  "approval.voted": good("approval", "info", "A vote was cast on an action."),
  "approval.approved": good("approval", "info", "An action was approved."),
  "approval.rejected": good("approval", "medium", "An action was rejected."),
  "approval.expired": bad("approval", "low", "An approval was not given in time."),
  "approval.overdue": bad("approval", "medium", "An approval has waited too long."),
  "approval.escalated": good("approval", "medium", "An approval was passed on to further approvers."),
  "approval.delegated": good("approval", "medium", "An approver passed their right to vote to another."),
  "approval.break_glass": good("approval", "critical", "An action was executed without its approval."),
  "approval.workflow_changed": good("approval", "medium", "Who must approve was changed."),

  "secret.stored": good("secret", "medium", "A secret was stored or replaced."),
  "secret.deleted": good("secret", "medium", "A secret was deleted."),
  "secret.read": many(good("secret", "info", "A secret was read to be used.")),
  "vault.rotated": good("secret", "medium", "The keys of the vault were rotated."),
  "vault.imported": good("secret", "medium", "Secrets were imported into the vault."),
  "vault.refused": many(bad("secret", "high", "Sealed data could not be opened.")),
  "key.rotated": good("secret", "medium", "A signing key was rotated."),
  "key.revoked": good("secret", "high", "A signing key was revoked."),
  "credential.refresh_failed": many(bad("secret", "medium", "A credential could not be renewed.")),

  "receipts.exported": good("evidence", "info", "Receipts were exported."),
  "receipt.verify_failed": many(bad("evidence", "medium", "A receipt did not verify.")),
  "log.inconsistent": many(bad("evidence", "critical", "The log of receipts is not what was signed.")),
  "evidence.exported": good("evidence", "low", "Evidence was exported."),
  "control.changed": good("evidence", "medium", "The mapping of a control was changed."),
  "retention.changed": good("evidence", "medium", "How long something is kept was changed."),
  "legal_hold.changed": good("evidence", "medium", "A legal hold was set or lifted."),
  "data.erased": good("evidence", "high", "The data of a subject were erased."),
  "data.exported": good("evidence", "medium", "The data of a subject were exported."),

  "alert.opened": good("alert", "low", "An alert was raised."),
  "alert.escalated": good("alert", "medium", "An alert went unanswered and was passed on."),
  "alert.acknowledged": good("alert", "info", "An alert was acknowledged."),
  "alert.resolved": good("alert", "info", "An alert was resolved."),
  "alert.delivered": good("alert", "info", "An alert reached a channel."),
  "alert.delivery_failed": bad("alert", "medium", "An alert could not be delivered to a channel."),
  "alert.rules_changed": good("alert", "medium", "The rules or routes of alerts were changed."),

  "delivery.target_changed": good("delivery", "medium", "A delivery target was created or changed."),
  "delivery.target_deleted": good("delivery", "medium", "A delivery target was deleted."),
  "delivery.paused": good("delivery", "medium", "Delivery to a target was paused."),
  "delivery.resumed": good("delivery", "low", "Delivery to a target was resumed."),
  "delivery.dead_lettered": bad("delivery", "high", "Deliveries were given up."),
  "delivery.replayed": good("delivery", "low", "A delivery that was given up was sent again."),
  "delivery.resolved": good("delivery", "low", "A delivery that was given up was closed."),

  "backup.created": good("operation", "low", "A backup was made."),
  "backup.restored": good("operation", "critical", "A backup was restored."),
  "backup.drilled": good("operation", "low", "A restore was rehearsed."),
  "job.started": good("operation", "info", "An operator started a background job."),
  "run.invariant_violated": many(bad("operation", "high", "A run was in a state that should not be.")),
  "run.operated": good("operation", "info", "An operator changed the course of a run."),
} as const satisfies Record<string, EventSpec>;

export type EventType = keyof typeof eventCatalogue;

/** All types, in the order of the catalogue. */
export const eventTypes = Object.keys(eventCatalogue) as readonly EventType[]; // the keys of the table itself

export const isEventType = (text: string): text is EventType => Object.hasOwn(eventCatalogue, text);

/** Position in the order of severities: greater is graver. */
export const gravity = (severity: Severity): number => severities.indexOf(severity);
