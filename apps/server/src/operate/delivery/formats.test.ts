import { describe, expect, it } from "vitest";
import { eventTypes } from "#platform/events";
import { retryDelay } from "./domain.ts";
import { type Rendering, render } from "./format.ts";
import { fillTemplate } from "./send-channel.ts";
import { retryAfterOf } from "./send-http.ts";
import { frame } from "./send-syslog.ts";
import { configSchemas, shownConfig } from "./target-config.ts";
import { sampleAlert, sampleEvent } from "./testing-peers.ts";

const as = (format: Rendering["format"]): Rendering => ({
  format,
  version: "1.2.3",
  origin: "https://oars.example",
});

describe("CEF", () => {
  it("escapes what would end a field: pipes and backslashes in the header, equals signs and line breaks in values", () => {
    const event = sampleEvent({ message: "a|b=c\\d\nCEF:0|evil", target: { kind: "k", id: "x=y\r\nz" } });
    const text = String(render(event, as("cef")));
    expect(text.split("\n")).toHaveLength(1);
    const header = text.split(/(?<!\\)\|/);
    expect(header.slice(0, 7)).toEqual([
      "CEF:0",
      "OARS",
      "OARS",
      "1.2.3",
      "authorization.denied",
      "a\\|b=c\\\\d CEF:0\\|evil",
      "5",
    ]);
    expect(text).toContain("msg=a|b\\=c\\\\d\\nCEF:0|evil");
    expect(text).toContain("cs3=k:x\\=y\\nz");
    expect(text).toContain(" src=203.0.113.7 ");
    expect(String(render(sampleEvent({ source: "2001:db8::7" }), as("cef")))).toContain("c6a2=2001:db8::7");
  });
});

describe("OCSF 1.3.0", () => {
  it.each(eventTypes)("has what its class requires of %s", (type) => {
    for (const bare of [{}, { actor: null, target: null, source: null, requestId: null }]) {
      const event = render(sampleEvent({ type, ...bare }), as("ocsf")) as Record<string, unknown>;
      const [classUid, activityId] = [Number(event.class_uid), Number(event.activity_id)];
      expect(event).toMatchObject({
        category_uid: Math.floor(classUid / 1000),
        type_uid: classUid * 100 + activityId,
        severity_id: 3,
        time: Date.parse("2026-01-05T09:31:00.000Z"),
        metadata: { version: "1.3.0", product: { name: "OARS" }, event_code: type },
      });
      const required: Record<number, string[]> = {
        2004: ["finding_info"],
        3001: ["user", "actor"],
        3002: ["user", "src_endpoint"],
        6003: ["actor", "api", "src_endpoint"],
      };
      for (const name of required[classUid] ?? ["a class that is not known"])
        expect(event).toHaveProperty(name);
      if (activityId === 99) expect(event.activity_name).toBe(type);
    }
  });
});

describe("CloudEvents 1.0", () => {
  it("has the attributes that are required, and the event as data", () => {
    const item = sampleEvent();
    expect(render(item, as("cloudevents"))).toMatchObject({
      specversion: "1.0",
      id: item.id,
      source: "https://oars.example",
      type: "oars.authorization.denied",
      time: "2026-01-05T09:31:00.000Z",
      data: { id: item.id },
    });
  });
});

describe("syslog", () => {
  it("is an RFC 5424 message with its length in bytes before it", () => {
    const config = configSchemas.siem.parse({ kind: "syslog", host: "127.0.0.1" });
    if (config.kind !== "syslog") throw new Error("another kind");
    const text = frame(config, sampleEvent({ message: "naïve 💥" }), as("native"));
    const [, length = "", message = ""] = /^(\d+) ([\s\S]*)$/.exec(text) ?? [];
    expect(Buffer.byteLength(message)).toBe(Number(length));
    expect(message).toMatch(
      /^<108>1 2026-01-05T09:31:00\.000Z oars\.example oars - authorization\.denied \[origin software="OARS" swVersion="1\.2\.3"\] \ufeff\{"id":"evt_/,
    );
  });
});

describe("a template", () => {
  it("fills fields of the notice into its texts, and nothing else", () => {
    const { payload } = sampleAlert({ message: 'quote " and {{id}}', details: { tool: "t", n: 4 } });
    if (payload.kind !== "alert") throw new Error("another kind");
    const template = {
      message: "{{title}}",
      priority: "{{ priority }}",
      details: { tool: "{{details.tool}}", n: "{{details.n}}", none: "{{constructor.name}}{{__proto__}}" },
      tags: ["oars", "{{code}}"],
      size: 3,
    };
    expect(fillTemplate(template, payload.alert)).toEqual({
      message: '[high] POLICY_DENIED: quote " and {{id}}',
      priority: "P2",
      details: { tool: "t", n: "4", none: "" },
      tags: ["oars", "POLICY_DENIED"],
      size: 3,
    });
  });
});

describe("a delay", () => {
  it("doubles up to five minutes, varies by a quarter, and is never less than what was asked for", () => {
    const rule = { baseMs: 30_000, maxAttempts: 8 };
    expect([1, 2, 3, 4, 5, 9].map((n) => retryDelay(rule, n, 0, 0))).toEqual([
      30_000, 60_000, 120_000, 240_000, 300_000, 300_000,
    ]);
    expect(retryDelay(rule, 1, 0, 1)).toBe(22_500);
    expect(retryDelay(rule, 1, 400_000, 0.5)).toBe(400_000);
    expect(retryDelay(rule, 1, 1e12, 0.5)).toBe(3_600_000);
    expect(retryAfterOf("120")).toBe(120_000);
    expect(retryAfterOf("Wed, 21 Oct 2026 07:28:00 GMT", Date.parse("2026-10-21T07:27:00Z"))).toBe(60_000);
    expect(retryAfterOf("soon")).toBeUndefined();
  });
});

describe("what is shown of a configuration", () => {
  it.each([
    ["siem", { kind: "splunk_hec", url: "https://s.example/hec?t=SECRET", token: "SECRET" }],
    ["siem", { kind: "datadog_logs", apiKey: "SECRET" }],
    ["siem", { kind: "sentinel_log_analytics", workspaceId: "w", sharedKey: "SECRET" }],
    ["siem", { kind: "otlp_logs", url: "https://o.example/v1/logs", headers: { authorization: "SECRET" } }],
    ["siem", { kind: "generic_webhook", url: "https://o.example/x", secret: "SECRET" }],
    ["alerts", { kind: "slack_webhook", url: "https://hooks.slack.com/services/T/B/SECRET" }],
    ["alerts", { kind: "pagerduty_events_v2", routingKey: "SECRET" }],
    [
      "alerts",
      {
        kind: "email",
        host: "m",
        from: "a@example.com",
        to: ["b@example.com"],
        user: "u",
        password: "SECRET",
      },
    ],
  ] as const)("has no secret: %s %j", (purpose, config) => {
    const parsed = configSchemas[purpose].parse(config);
    expect(JSON.stringify(parsed)).toContain("SECRET");
    expect(JSON.stringify(shownConfig(parsed))).not.toContain("SECRET");
    expect(JSON.stringify(shownConfig(parsed))).toContain("[secret]");
  });
});
