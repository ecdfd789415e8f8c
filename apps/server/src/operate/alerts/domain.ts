/** Which events are alerts. Pure. */
import { type EventType, gravity, type SecurityEvent, type Severity } from "#platform/events";
import type { Json } from "#platform/kernel";

export type AlertSeverity = Exclude<Severity, "info">;
export const alertSeverities = ["low", "medium", "high", "critical"] as const;
export type AlertState = "open" | "acknowledged" | "resolved";

/** A cause for an alert. Causes with the same key are one alert until it is resolved. */
export interface Cause {
  readonly tenantId: string;
  readonly key: string;
  readonly code: string;
  readonly severity: AlertSeverity;
  readonly message: string;
  readonly count: number;
  readonly eventId: string;
  readonly target: { readonly kind: string; readonly id: string } | null;
  readonly details: Readonly<Record<string, Json>>;
}

export interface AlertRule {
  readonly name: string;
  /** Exact types, or `approval.*`. */
  readonly types: readonly string[];
  readonly minSeverity: Severity;
  /** Occurrences that one event must tell of: refusals come counted. */
  readonly minCount: number;
  /** Null: the event's. */
  readonly severity: AlertSeverity | null;
  readonly enabled: boolean;
}

export interface AlertRoute {
  readonly severity: AlertSeverity;
  /** In order: the first `atOnce` when an alert opens, then one more each time that nobody answers. */
  readonly channels: readonly string[];
  readonly atOnce: number;
  readonly escalationMinutes: number;
  /** Whether the tenant set it. */
  readonly stored: boolean;
}

/** What tells alerts of one rule apart: where it happened, who did it, or each for itself. */
type Apart = "tool" | "target" | "actor" | "type";

interface BuiltIn {
  readonly code: string;
  readonly apart: Apart;
  readonly severity?: AlertSeverity;
  readonly minCount?: number;
}

/** In force for every tenant. An operator who does not want one routes its severity elsewhere or resolves it. */
export const builtInRules: Partial<Record<EventType, BuiltIn>> = {
  "action.denied": { code: "POLICY_DENIED", apart: "tool" },
  "action.quarantined": { code: "ACTION_QUARANTINED", apart: "tool" },
  "action.held": { code: "APPROVAL_NEEDED", apart: "target" },
  "action.failed": { code: "EXECUTION_FAILED", apart: "tool" },
  "action.in_doubt": { code: "OUTCOME_UNKNOWN", apart: "target" },
  "action.high_risk": { code: "HIGH_RISK_EXECUTED", apart: "tool" },
  "approval.rejected": { code: "POLICY_DENIED", apart: "tool" },
  "approval.expired": { code: "APPROVAL_EXPIRED", apart: "tool", severity: "medium" },
  "approval.overdue": { code: "APPROVAL_OVERDUE", apart: "target" },
  "approval.escalated": { code: "APPROVAL_OVERDUE", apart: "target" },
  "approval.break_glass": { code: "BREAK_GLASS", apart: "target" },
  "policy.failed": { code: "POLICY_ERROR", apart: "type" },
  "tool.changed": { code: "TOOL_CHANGED", apart: "target" },
  "tenant.access_denied": { code: "CROSS_TENANT_ATTEMPT", apart: "actor" },
  "tenant.foreign_id": { code: "CROSS_TENANT_ATTEMPT", apart: "actor" },
  "authentication.failed": { code: "CREDENTIALS_PROBED", apart: "type", minCount: 20 },
  "authentication.step_up_failed": { code: "STEP_UP_PROBED", apart: "actor", minCount: 5 },
  "authorization.denied": { code: "PERMISSIONS_PROBED", apart: "actor", minCount: 20 },
  "vault.refused": { code: "VAULT_REFUSED", apart: "type" },
  "credential.refresh_failed": { code: "CREDENTIAL_EXPIRING", apart: "target" },
  "key.revoked": { code: "KEY_REVOKED", apart: "target" },
  "log.inconsistent": { code: "LOG_INCONSISTENT", apart: "type" },
  "backup.restored": { code: "BACKUP_RESTORED", apart: "type" },
  "run.invariant_violated": { code: "INVARIANT_VIOLATED", apart: "type" },
  "delivery.dead_lettered": { code: "DELIVERY_FAILED", apart: "target", severity: "medium" },
};

/** Whatever ends the wait of a held action ends the alert that asks for it. */
export const endsWait: ReadonlySet<EventType> = new Set<EventType>([
  "approval.approved",
  "approval.rejected",
  "approval.expired",
  "approval.break_glass",
  "action.cancelled",
]);
export const waitCodes = ["APPROVAL_NEEDED", "APPROVAL_OVERDUE"] as const;

const partOf = (event: SecurityEvent, apart: Apart): string => {
  if (apart === "tool" && typeof event.details.tool === "string") return event.details.tool;
  if (apart === "actor" && event.actor !== null) return event.actor.id;
  if (apart === "actor" && event.source !== null) return event.source;
  if (apart === "target" && event.target !== null) return `${event.target.kind}:${event.target.id}`;
  return event.type;
};

const alertSeverity = (severity: Severity): AlertSeverity => (severity === "info" ? "low" : severity);

export const matches = (types: readonly string[], type: string): boolean =>
  types.some((t) => t === type || (t.endsWith(".*") && type.startsWith(t.slice(0, -1))));

/** What an event gives cause for: the built-in rule of its type, and each rule of its tenant. News of alerts give none. */
export function causesOf(event: SecurityEvent, rules: readonly AlertRule[]): Cause[] {
  if (event.type.startsWith("alert.")) return [];
  const made = (code: string, apart: Apart, severity: AlertSeverity | null | undefined): Cause => ({
    tenantId: event.tenantId,
    key: `${code} ${partOf(event, apart)}`.slice(0, 500),
    code,
    severity: severity ?? alertSeverity(event.severity),
    message: event.message,
    count: event.count,
    eventId: event.id,
    target: event.target,
    details: { ...event.details, ...(event.source === null ? {} : { source: event.source }) },
  });
  const rule = builtInRules[event.type];
  const causes =
    rule === undefined || event.count < (rule.minCount ?? 1)
      ? []
      : [made(rule.code, rule.apart, rule.severity)];
  for (const { name, types, minSeverity, minCount, severity, enabled } of rules) {
    const fits = enabled && matches(types, event.type) && gravity(event.severity) >= gravity(minSeverity);
    if (fits && event.count >= minCount) causes.push(made(`RULE_${name}`, "target", severity));
  }
  return causes;
}

/** Causes with one key are one, with their counts together and the gravest severity. */
export function gathered(causes: readonly Cause[]): Cause[] {
  const byKey = new Map<string, Cause>();
  for (const cause of causes) {
    const at = `${cause.tenantId} ${cause.key}`;
    const before = byKey.get(at);
    byKey.set(
      at,
      before === undefined
        ? cause
        : {
            ...before,
            count: before.count + cause.count,
            severity: gravity(cause.severity) > gravity(before.severity) ? cause.severity : before.severity,
          },
    );
  }
  return [...byKey.values()];
}

const defaultMinutes: Readonly<Record<AlertSeverity, number>> = {
  critical: 5,
  high: 15,
  medium: 60,
  low: 60,
};

/** Where nothing was set: every channel in the order of its name, of critical alerts all at once. */
export const defaultRoute = (severity: AlertSeverity, channels: readonly string[]): AlertRoute => ({
  severity,
  channels,
  atOnce: severity === "critical" ? Math.max(1, channels.length) : 1,
  escalationMinutes: defaultMinutes[severity],
  stored: false,
});

/**
 * Whom an unanswered alert goes to next: the next channel of its route; when all have been told, the last of them once
 * more; then nobody.
 */
export function nextChannel(route: AlertRoute, level: number): string | undefined {
  const at = route.atOnce + level;
  return at > route.channels.length ? undefined : (route.channels[at] ?? route.channels.at(-1));
}
