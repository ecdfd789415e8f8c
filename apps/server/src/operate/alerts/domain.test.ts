import { describe, expect, it } from "vitest";
import { type EventType, eventCatalogue, type SecurityEvent } from "#platform/events";
import { newId } from "#platform/kernel";
import { causesOf, defaultRoute, gathered, nextChannel } from "./domain.ts";

const tenantId = newId();
const event = (type: EventType, more: Partial<SecurityEvent> = {}): SecurityEvent => ({
  tenantId,
  id: newId(),
  type,
  severity: eventCatalogue[type].severity,
  outcome: eventCatalogue[type].outcome,
  actor: { id: "p1", kind: "agent", name: "bot" },
  target: { kind: "action", id: "act_1" },
  requestId: null,
  source: "203.0.113.7",
  message: eventCatalogue[type].message,
  details: { tool: "wms/http.request" },
  count: 1,
  firstAt: new Date(),
  lastAt: new Date(),
  ...more,
});

describe("causes for alerts", () => {
  it.each([
    ["action.denied", {}, "POLICY_DENIED", "medium"],
    ["action.quarantined", {}, "ACTION_QUARANTINED", "high"],
    ["action.failed", { severity: "critical" }, "EXECUTION_FAILED", "critical"],
    ["action.failed", {}, "EXECUTION_FAILED", "medium"],
    ["action.high_risk", { severity: "critical" }, "HIGH_RISK_EXECUTED", "critical"],
    ["action.held", {}, "APPROVAL_NEEDED", "low"],
    ["approval.rejected", {}, "POLICY_DENIED", "medium"],
    ["approval.escalated", {}, "APPROVAL_OVERDUE", "medium"],
    ["approval.break_glass", {}, "BREAK_GLASS", "critical"],
    ["policy.failed", {}, "POLICY_ERROR", "high"],
    ["tenant.foreign_id", {}, "CROSS_TENANT_ATTEMPT", "high"],
    ["delivery.dead_lettered", {}, "DELIVERY_FAILED", "medium"],
    ["run.invariant_violated", {}, "INVARIANT_VIOLATED", "high"],
  ] as const)("%s %j is %s, %s", (type, more, code, severity) => {
    expect(causesOf(event(type, more), [])).toMatchObject([{ code, severity, tenantId }]);
  });

  it("are not a few wrong credentials, but many", () => {
    expect(causesOf(event("authentication.failed", { count: 19 }), [])).toEqual([]);
    expect(causesOf(event("authentication.failed", { count: 20 }), [])).toMatchObject([
      { code: "CREDENTIALS_PROBED" },
    ]);
  });

  it("are what the tenant's own rules say too, and never news of alerts themselves", () => {
    const rule = {
      name: "secrets",
      types: ["secret.*", "alert.*"],
      minSeverity: "medium",
      minCount: 1,
      severity: "critical",
      enabled: true,
    } as const;
    expect(causesOf(event("secret.deleted"), [rule])).toMatchObject([
      { code: "RULE_secrets", severity: "critical" },
    ]);
    expect(causesOf(event("secret.read"), [rule])).toEqual([]);
    expect(causesOf(event("secret.deleted"), [{ ...rule, enabled: false }])).toEqual([]);
    expect(causesOf(event("alert.delivery_failed"), [rule])).toEqual([]);
  });

  it("of one key are one, with the gravest severity", () => {
    const causes = [
      ...causesOf(event("action.failed", { count: 2 }), []),
      ...causesOf(event("action.failed", { severity: "critical" }), []),
      ...causesOf(event("action.failed", { details: { tool: "other" } }), []),
    ];
    expect(gathered(causes)).toMatchObject([{ count: 3, severity: "critical" }, { count: 1 }]);
  });
});

describe("[C62] the ladder", () => {
  const steps = (channels: string[], atOnce: number) => {
    const route = { ...defaultRoute("high", channels), atOnce };
    return [0, 1, 2, 3].map((level) => nextChannel(route, level) ?? "-").join(" ");
  };
  it("goes from channel to channel, to the last one once more, and ends", () => {
    expect(steps(["a", "b", "c"], 1)).toBe("b c c -");
    expect(steps(["a", "b", "c"], 2)).toBe("c c - -");
    expect(steps(["a"], 1)).toBe("a - - -");
    expect(steps([], 1)).toBe("- - - -");
  });
  it("is by default 5, 15, 60 and 60 minutes, and all channels at once for what is critical", () => {
    const minutes = (["critical", "high", "medium", "low"] as const).map(
      (s) => defaultRoute(s, []).escalationMinutes,
    );
    expect(minutes).toEqual([5, 15, 60, 60]);
    expect(defaultRoute("critical", ["a", "b"])).toMatchObject({ atOnce: 2 });
    expect(nextChannel(defaultRoute("critical", ["a", "b"]), 0)).toBe("b");
  });
});
