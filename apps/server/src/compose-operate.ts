/** The wing that watches: delivery to other systems, and alerts. */
import type { ApprovalLinks } from "#act/approvals";
import { type Alert, type Alerts, createAlerts } from "#operate/alerts";
import { createDelivery, type Delivery, readEnvTargets } from "#operate/delivery";
import type { Config } from "#platform/config";
import { type Database, sql } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import type { Job } from "#platform/jobs";
import { formatId, parseId } from "#platform/kernel";
import type { Dialer } from "#platform/net";
import type { Metrics } from "#platform/telemetry";
import type { Vault } from "#platform/vault";
import { version } from "./version.ts";

export interface OperateDeps {
  readonly config: Config;
  readonly db: Database;
  readonly vault: Vault;
  readonly dialer: Dialer;
  readonly events: SecurityEvents;
  readonly metrics: Metrics;
  readonly approvalLinks: ApprovalLinks;
  readonly workerId: string;
  readonly onError: (error: unknown, what: string) => void;
}

export interface Operate {
  readonly alerts: Alerts;
  readonly delivery: Delivery;
}

export interface OperateWing extends Operate {
  readonly jobs: readonly Job[];
  /** Of each process for itself. */
  readonly work: readonly {
    readonly name: string;
    readonly everyMs: number;
    readonly work: () => Promise<unknown>;
  }[];
}

const escalateAtOnce = 100;
const longestLinkMs = 7 * 86_400_000;

/** To the page of the approval that is asked for, or to the alert. */
function linkTo(alert: Alert, publicUrl: string, links: ApprovalLinks): string {
  const named = alert.details.approval;
  const approval = typeof named === "string" ? parseId("approval", named) : undefined;
  if (approval !== undefined && alert.code.startsWith("APPROVAL_"))
    return links.make(alert.tenantId, approval, longestLinkMs).url;
  return `${publicUrl}/v1/alerts/${formatId("alert", alert.id)}`;
}

/** Throws CONFIG_INVALID for targets and channels of the environment that cannot be. */
export function composeOperate(deps: OperateDeps): OperateWing {
  const { config, db, metrics } = deps;
  const { alerting } = config;
  const fromEnv = readEnvTargets({
    siemTargets: alerting.siemTargets.reveal(),
    siemWebhookUrl: alerting.siemWebhookUrl?.reveal() ?? null,
    siemFilePath: alerting.siemFilePath,
    alertChannels: alerting.alertChannels.reveal(),
    alertWebhookUrl: alerting.alertWebhookUrl?.reveal() ?? null,
  });
  const delivery = createDelivery({
    ...deps,
    origin: config.http.publicUrl,
    version,
    retry: alerting.retry,
    fromEnv,
    operator: async () => {
      const [row] = await db.system.query<{ id: string }>(
        sql`/* operate.operator */ select i.tenant_id as id from installation i`,
      );
      return row?.id ?? null;
    },
    onSent: (kind, outcome, n) => metrics.deliveries.with(kind, outcome).inc(n),
  });
  const alerts = createAlerts({
    db,
    events: deps.events,
    delivery,
    linkTo: (alert) => linkTo(alert, config.http.publicUrl, deps.approvalLinks),
    onRaised: (code, severity) =>
      metrics.alerts.with(code.startsWith("RULE_") ? "RULE" : code, severity).inc(),
  });
  const keepDays = config.retention.events ?? 36_500;
  return {
    alerts,
    delivery,
    jobs: [
      {
        name: "alert-escalation",
        everyMs: 60_000, // the shortest step of a ladder; it asks to come again when the next is due
        work: async () => {
          const next = await alerts.nextEscalation();
          if (next === null || next > 0) return next;
          return (await alerts.escalateDue(escalateAtOnce)) > 0 ? 0 : null;
        },
      },
      {
        name: "alert-history",
        everyMs: 3_600_000,
        work: async () => ((await alerts.forget(keepDays, 1_000)) === 1_000 ? 0 : null),
      },
      {
        name: "dead-letters",
        everyMs: 3_600_000,
        work: async () => ((await delivery.forget(keepDays, 1_000)) === 1_000 ? 0 : null),
      },
    ],
    work: [
      {
        name: "delivery figures",
        everyMs: 15_000,
        work: async () => {
          const waiting = await delivery.figures();
          metrics.deliveryQueued.set(waiting.queued);
          metrics.deliveryLag.set(waiting.lagSeconds);
          metrics.deadLetters.set(waiting.dead);
        },
      },
    ],
  };
}
