/**
 * Open Cybersecurity Schema Framework 1.3.0. Authentication (3002), Account Change (3001), Detection Finding (2004) for
 * alerts, and API Activity (6003) for all else. What OCSF has no place for is in `unmapped`.
 */
import { type EventGroup, eventCatalogue, type Severity, type ShownEvent } from "#platform/events";

export const ocsfVersion = "1.3.0";

const severityOf: Readonly<Record<Severity, readonly [number, string]>> = {
  info: [1, "Informational"],
  low: [2, "Low"],
  medium: [3, "Medium"],
  high: [4, "High"],
  critical: [5, "Critical"],
};

interface OcsfClass {
  readonly uid: number;
  readonly name: string;
  readonly category: readonly [number, string];
}
const iam = [3, "Identity & Access Management"] as const;
const authentication: OcsfClass = { uid: 3002, name: "Authentication", category: iam };
const account: OcsfClass = { uid: 3001, name: "Account Change", category: iam };
const finding: OcsfClass = { uid: 2004, name: "Detection Finding", category: [2, "Findings"] };
const activity: OcsfClass = { uid: 6003, name: "API Activity", category: [6, "Application Activity"] };

const classOf: Partial<Record<EventGroup, OcsfClass>> = { authentication, account, alert: finding };

/** Activities by the last word of the type; 99 is "Other", which needs a name. */
function activityOf(kind: OcsfClass, type: string): number {
  const verb = type.split(".")[1] ?? "";
  if (kind === authentication) return verb === "token_issued" || verb === "failed" ? 1 : 99;
  if (kind === finding) return verb === "opened" ? 1 : verb === "resolved" ? 3 : 2;
  if (/created|issued|stored|drafted|imported/.test(verb)) return 1;
  if (kind === account) return verb.startsWith("revoked") ? 6 : 99;
  if (/read|exported/.test(verb)) return 2;
  if (/changed|published|rotated|rolled_back|resolved|reviewed|replayed|paused|resumed/.test(verb)) return 3;
  return /deleted|erased|revoked/.test(verb) ? 4 : 99;
}

export function toOcsf(e: ShownEvent, version: string): Record<string, unknown> {
  const group: EventGroup = eventCatalogue[e.type].group;
  const kind = classOf[group] ?? activity;
  const activityId = activityOf(kind, e.type);
  const [severityId, severity] = severityOf[e.severity];
  const user = {
    name: e.actor?.name ?? "unknown",
    ...(e.actor === null ? {} : { uid: e.actor.id, type: e.actor.kind }),
  };
  return {
    activity_id: activityId,
    activity_name: e.type,
    category_uid: kind.category[0],
    category_name: kind.category[1],
    class_uid: kind.uid,
    class_name: kind.name,
    type_uid: kind.uid * 100 + activityId,
    severity_id: severityId,
    severity,
    status_id: e.outcome === "success" ? 1 : 2,
    status: e.outcome === "success" ? "Success" : "Failure",
    time: Date.parse(e.lastAt),
    start_time: Date.parse(e.firstAt),
    end_time: Date.parse(e.lastAt),
    count: e.count,
    message: e.message,
    metadata: {
      version: ocsfVersion,
      uid: e.id,
      event_code: e.type,
      tenant_uid: e.tenantId,
      ...(e.requestId === null ? {} : { correlation_uid: e.requestId }),
      product: { name: "OARS", vendor_name: "OARS", version },
    },
    ...partsOf(kind, e, user),
    unmapped: { details: e.details, target: e.target },
  };
}

function partsOf(kind: OcsfClass, e: ShownEvent, user: object): Record<string, unknown> {
  const source = e.source === null ? { name: "unknown" } : { ip: e.source };
  if (kind === authentication) return { user, src_endpoint: source, service: { name: "OARS" } };
  if (kind === account) {
    const changed = { name: e.target?.id ?? "unknown", ...(e.target === null ? {} : { uid: e.target.id }) };
    return { actor: { user }, user: changed, src_endpoint: source };
  }
  if (kind === finding)
    return { finding_info: { uid: e.target?.id ?? e.id, title: e.message, types: [e.type] } };
  return {
    actor: { user },
    api: { operation: e.type, service: { name: "OARS" } },
    src_endpoint: source,
    resources: e.target === null ? [] : [{ uid: e.target.id, type: e.target.kind }],
  };
}
