import { type Caller, requirePermission } from "#platform/access";
import type { Database } from "#platform/db";
import { OarsError } from "#platform/kernel";
import {
  type AlertRoute,
  type AlertRule,
  type AlertSeverity,
  alertSeverities,
  builtInRules,
} from "./domain.ts";
import { createRaising, type RaisingDeps } from "./raising.ts";
import * as store from "./store.ts";

export interface AlertDetail extends store.Alert {
  readonly history: readonly store.StoredEntry[];
}

export interface Alerts {
  /** Newest first; one more than `limit` where there is more. */
  list(
    caller: Caller,
    filter: store.AlertFilter,
    page: { readonly limit: number; readonly before?: string | undefined },
  ): Promise<store.Alert[]>;
  /** Errors: ALERT_NOT_FOUND, as of the two that follow. */
  find(caller: Caller, id: string): Promise<AlertDetail>;
  /** Somebody looks after it: it is passed on no further. Errors: ALERT_STATE. */
  acknowledge(caller: Caller, id: string, note: string | null): Promise<AlertDetail>;
  /** It is over: what happens again is a new alert. Errors: ALERT_STATE. */
  resolve(caller: Caller, id: string, note: string | null): Promise<AlertDetail>;
  /** One route for each severity, as it was set or as it is by default. */
  routes(caller: Caller): Promise<AlertRoute[]>;
  /** Errors: ALERT_CHANNEL_UNKNOWN. */
  setRoute(caller: Caller, route: Omit<AlertRoute, "stored">): Promise<AlertRoute>;
  /** The tenant's own rules, by name. */
  rules(caller: Caller): Promise<AlertRule[]>;
  putRule(caller: Caller, rule: AlertRule): Promise<AlertRule>;
  /** Errors: ALERT_RULE_NOT_FOUND. */
  removeRule(caller: Caller, name: string): Promise<void>;
  /** Passes on what nobody has answered. Returns how many. */
  escalateDue(limit: number): Promise<number>;
  /** Milliseconds until the next is to be passed on, or null. */
  nextEscalation(): Promise<number | null>;
  forget(keepDays: number, limit: number): Promise<number>;
}

export type AlertsDeps = RaisingDeps & { readonly db: Database };

/** Codes of the rules that every tenant has, with the events that they answer to. */
export const builtInCodes = Object.entries(builtInRules).map(([type, rule]) => ({ type, code: rule.code }));

export function createAlerts(deps: AlertsDeps): Alerts {
  const { db } = deps;
  const raising = createRaising(deps);

  const detail = (caller: Caller, id: string): Promise<AlertDetail> =>
    db.read(caller.tenantId, async (reader) => {
      const [alert] = await store.findAlert(reader, caller.tenantId, id);
      if (!alert) throw new OarsError("ALERT_NOT_FOUND");
      return { ...alert, history: await store.listEntries(reader, caller.tenantId, id) };
    });
  /** Notices go through targets that may be the operator's: the transaction is the system's, the predicate the tenant's. */
  const move = async (
    caller: Caller,
    id: string,
    note: string | null,
    to: "acknowledged" | "resolved",
  ): Promise<AlertDetail> => {
    requirePermission(caller, "alerts:acknowledge");
    const { tenantId, principalId } = caller;
    const moved = await db.system.tx(async (tx) => {
      const statement = to === "resolved" ? store.resolve : store.acknowledge;
      const [alert] = await statement(tx, tenantId, id, principalId);
      if (!alert) return false;
      await store.addEntry(tx, { tenantId, alertId: id, kind: to, principalId, note });
      await raising.tell(tx, alert, `alert.${to}`, caller);
      return true;
    });
    const found = await detail(caller, id);
    if (!moved) throw new OarsError("ALERT_STATE", { state: found.state });
    return found;
  };
  const changed = (caller: Caller, what: { readonly kind: string; readonly id: string }) => ({
    tenantId: caller.tenantId,
    type: "alert.rules_changed" as const,
    actor: caller,
    target: what,
  });

  return {
    list: async (caller, filter, page) => {
      requirePermission(caller, "alerts:read");
      const more = { ...page, limit: page.limit + 1 };
      return db.read(caller.tenantId, (reader) => store.listAlerts(reader, caller.tenantId, filter, more));
    },
    find: async (caller, id) => {
      requirePermission(caller, "alerts:read");
      return detail(caller, id);
    },
    acknowledge: (caller, id, note) => move(caller, id, note, "acknowledged"),
    resolve: (caller, id, note) => move(caller, id, note, "resolved"),
    routes: async (caller) => {
      requirePermission(caller, "alerts:read");
      return db.system.tx((tx) =>
        Promise.all(alertSeverities.map((severity) => routeOf(tx, caller.tenantId, severity))),
      );
    },
    setRoute: async (caller, { severity, channels, atOnce, escalationMinutes }) => {
      requirePermission(caller, "alerts:write");
      const { tenantId, principalId } = caller;
      const route = { severity, channels: [...new Set(channels)], atOnce, escalationMinutes };
      await db.system.tx(async (tx) => {
        const known = (await deps.delivery.channels(tx, tenantId)).map((target) => target.name);
        const unknown = route.channels.filter((name) => !known.includes(name));
        if (unknown.length > 0)
          throw new OarsError("ALERT_CHANNEL_UNKNOWN", {
            channel: unknown.join(", "),
            channels: known.join(", ") || "none",
          });
        await store.putRoute(tx, tenantId, principalId, route);
        await deps.events.record(tx, changed(caller, { kind: "alert route", id: severity }));
      });
      return { ...route, stored: true };
    },
    rules: async (caller) => {
      requirePermission(caller, "alerts:read");
      return db.read(caller.tenantId, (reader) => store.listRules(reader, [caller.tenantId]));
    },
    putRule: async (caller, rule) => {
      requirePermission(caller, "alerts:write");
      await db.tx(caller.tenantId, async (tx) => {
        await store.putRule(tx, caller.tenantId, caller.principalId, rule);
        await deps.events.record(tx, changed(caller, { kind: "alert rule", id: rule.name }));
      });
      return rule;
    },
    removeRule: async (caller, name) => {
      requirePermission(caller, "alerts:write");
      await db.tx(caller.tenantId, async (tx) => {
        if ((await store.deleteRule(tx, caller.tenantId, name)).length === 0)
          throw new OarsError("ALERT_RULE_NOT_FOUND", { name });
        await deps.events.record(tx, changed(caller, { kind: "alert rule", id: name }));
      });
    },
    escalateDue: raising.escalateDue,
    nextEscalation: () => store.nextEscalation(db),
    forget: (keepDays, limit) => store.forget(db, keepDays, limit),
  };

  async function routeOf(
    tx: Parameters<typeof raising.routeFor>[0],
    tenantId: string,
    severity: AlertSeverity,
  ): Promise<AlertRoute> {
    return (await raising.routeFor(tx, tenantId, severity)).route;
  }
}
