/**
 * From events to people. Owns: when an alert opens, who is told, when it is passed on.
 * L1 an event gives its alerts in the transaction that marks it told: none is lost, and none is raised twice for it.
 * L2 what happens again while an alert is not resolved counts it up and tells nobody, unless it grew graver or nobody
 *    has been told for an hour.
 * L3 an alert that nobody answers is passed on when its time has come, once for each step, however many processes look.
 * L4 what became of every notice is written with the alert.
 */
import type { Delivery, Target } from "#operate/delivery";
import type { Database, Tx } from "#platform/db";
import type { EventActor, EventType, SecurityEvent, SecurityEvents } from "#platform/events";
import { formatId, type Json, parseId } from "#platform/kernel";
import {
  type AlertRoute,
  type AlertSeverity,
  causesOf,
  defaultRoute,
  endsWait,
  gathered,
  nextChannel,
  waitCodes,
} from "./domain.ts";
import * as store from "./store.ts";

export interface RaisingDeps {
  readonly db: Database;
  readonly events: Pick<SecurityEvents, "record" | "listen">;
  readonly delivery: Pick<Delivery, "channels" | "notify" | "onSettled">;
  /** Where people read on about an alert. */
  readonly linkTo: (alert: store.Alert) => string;
  /** An alert was raised, by its code. */
  readonly onRaised?: (code: string, severity: AlertSeverity) => void;
  /** How long nobody is told again of what goes on; an hour when absent. */
  readonly windowMs?: number;
}

export interface Raising {
  /** Tells an alert's end to whoever was told of it, and of an answer to the log of events. */
  tell(
    tx: Tx,
    alert: store.Alert,
    type: "alert.acknowledged" | "alert.resolved",
    by: EventActor | null,
  ): Promise<void>;
  /** Passes on what nobody has answered, of all tenants. Returns how many. */
  escalateDue(limit: number): Promise<number>;
  routeFor(tx: Pick<Tx, "query">, tenantId: string, severity: AlertSeverity): Promise<Routed>;
}

export interface Routed {
  readonly route: AlertRoute;
  readonly channels: readonly Target[];
}

export function createRaising(deps: RaisingDeps): Raising {
  const { events, delivery } = deps;
  const windowMs = deps.windowMs ?? 3_600_000;

  const routeFor: Raising["routeFor"] = async (tx, tenantId, severity) => {
    const channels = await delivery.channels(tx, tenantId);
    const stored = (await store.listRoutes(tx, [tenantId])).find((r) => r.severity === severity);
    return {
      route:
        stored ??
        defaultRoute(
          severity,
          channels.map((c) => c.name),
        ),
      channels,
    };
  };
  const note = (
    tx: Tx,
    alert: store.Alert,
    type: EventType,
    more: {
      readonly actor?: EventActor | null;
      readonly details?: Record<string, Json>;
      readonly message?: string;
    } = {},
  ): Promise<void> =>
    events.record(tx, {
      tenantId: alert.tenantId,
      type,
      ...(type === "alert.opened" ? { severity: alert.severity } : {}),
      target: { kind: "alert", id: formatId("alert", alert.id) },
      ...more,
      details: { code: alert.code, alertSeverity: alert.severity, ...more.details },
    });

  /** Queues a notice for the channels of these names. One that does not exist is a failure that the alert shows. */
  const notify = async (
    tx: Tx,
    alert: store.Alert,
    names: readonly string[],
    known: readonly Target[],
    notice: "opened" | "escalated" | "resolved",
  ): Promise<void> => {
    const about = { tenantId: alert.tenantId, alertId: alert.id };
    const targets = known.filter((target) => names.includes(target.name));
    for (const name of names) {
      const exists = targets.some((target) => target.name === name);
      await store.addEntry(tx, { ...about, kind: exists ? "notified" : "given_up", channel: name });
      if (!exists)
        await note(tx, alert, "alert.delivery_failed", {
          details: { channel: name, error: "no such channel" },
        });
    }
    await delivery.notify(tx, targets, alert.id, {
      notice,
      id: formatId("alert", alert.id),
      tenantId: formatId("tenant", alert.tenantId),
      key: alert.key,
      code: alert.code,
      severity: alert.severity,
      message: alert.message,
      count: alert.count,
      link: deps.linkTo(alert),
      openedAt: alert.openedAt.toISOString(),
      lastAt: alert.lastAt.toISOString(),
      details: alert.details,
    });
  };

  const open = async (tx: Tx, alert: store.Raised): Promise<void> => {
    const { route, channels } = await routeFor(tx, alert.tenantId, alert.severity);
    const first = route.channels.slice(0, route.atOnce);
    const text = first.length === 0 ? "no channel is configured for this severity" : null;
    await store.addEntry(tx, {
      tenantId: alert.tenantId,
      alertId: alert.id,
      kind: alert.isNew ? "opened" : "repeated",
      note: text,
    });
    if (alert.isNew)
      await note(tx, alert, "alert.opened", { message: `${alert.code}: ${alert.message}`.slice(0, 400) });
    await notify(tx, alert, first, channels, "opened");
    const next = nextChannel(route, 0) !== undefined;
    const minutes = next ? route.escalationMinutes : null;
    await store.noteNotified(tx, alert, { channels: first, level: 0, minutes });
    if (alert.isNew) tx.onCommit(() => deps.onRaised?.(alert.code, alert.severity));
  };

  const tell: Raising["tell"] = async (tx, alert, type, by) => {
    await note(tx, alert, type, { actor: by });
    if (type !== "alert.resolved" || alert.notified.length === 0) return;
    const known = await delivery.channels(tx, alert.tenantId);
    const names = alert.notified.filter((name) => known.some((target) => target.name === name));
    await notify(tx, alert, names, known, "resolved");
  };

  const heard = async (tx: Tx, batch: readonly SecurityEvent[]): Promise<void> => {
    const rules = await store.listRules(tx, [...new Set(batch.map((e) => e.tenantId))]);
    const own = Map.groupBy(rules, (rule) => rule.tenantId);
    const causes = gathered(batch.flatMap((event) => causesOf(event, own.get(event.tenantId) ?? [])));
    for (const cause of causes) {
      const alert = await store.raise(tx, cause, windowMs);
      if (alert.tell) await open(tx, alert);
    }
    for (const event of batch) {
      if (!endsWait.has(event.type) || event.target === null) continue;
      for (const ended of await store.endWaits(tx, event.tenantId, event.target.id, waitCodes)) {
        await store.addEntry(tx, {
          tenantId: ended.tenantId,
          alertId: ended.id,
          kind: "resolved",
          note: event.type,
        });
        await tell(tx, ended, "alert.resolved", null);
      }
    }
  };
  events.listen(heard);
  delivery.onSettled(async (tx, target, rows, outcome, error) => {
    for (const { payload, subjectId } of rows) {
      const tenantId = payload.kind === "alert" ? parseId("tenant", payload.alert.tenantId) : undefined;
      if (payload.kind !== "alert" || tenantId === undefined) continue;
      const kind = outcome === "failed" ? "delivery_failed" : outcome;
      await store.addEntry(tx, { tenantId, alertId: subjectId, kind, channel: target.name, note: error });
      if (outcome === "failed") continue; // it is tried again
      await events.record(tx, {
        tenantId,
        type: outcome === "delivered" ? "alert.delivered" : "alert.delivery_failed",
        target: { kind: "alert", id: payload.alert.id },
        details: { channel: target.name, notice: payload.alert.notice, error },
      });
    }
  });

  return {
    tell,
    routeFor,
    escalateDue: (limit) =>
      deps.db.system.tx(async (tx) => {
        const overdue = await store.claimOverdue(tx, limit);
        for (const alert of overdue) {
          const { route, channels } = await routeFor(tx, alert.tenantId, alert.severity);
          const channel = nextChannel(route, alert.level);
          const level = alert.level + 1;
          const more = channel !== undefined && nextChannel(route, level) !== undefined;
          const told = channel === undefined ? [] : [channel];
          await store.noteNotified(tx, alert, {
            channels: told,
            level,
            minutes: more ? route.escalationMinutes : null,
          });
          if (channel === undefined) continue;
          const { tenantId, id } = alert;
          await store.addEntry(tx, { tenantId, alertId: id, kind: "escalated", channel });
          await notify(tx, alert, told, channels, "escalated");
          await note(tx, alert, "alert.escalated", { details: { channel, level } });
        }
        return overdue.length;
      }),
  };
}
