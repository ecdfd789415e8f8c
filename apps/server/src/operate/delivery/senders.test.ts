/** Every kind of target against a real peer that holds what it gets against the format and its signature. */
import { createHmac } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import type { AddressInfo, Server as TcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SMTPServer } from "smtp-server";
import { Webhook } from "standardwebhooks";
import { afterAll, describe, expect, it } from "vitest";
import { newId } from "#platform/kernel";
import { createDialer } from "#platform/net";
import { until } from "#testing";
import type { Item } from "./domain.ts";
import { send } from "./send.ts";
import { configSchemas } from "./target-config.ts";
import { certificate, httpPeer, sampleAlert, sampleEvent, syslogPeer } from "./testing-peers.ts";

const dialer = createDialer({ allow: ["127.0.0.0/8"], maxResponseBytes: 1_000_000, connectTimeoutMs: 2_000 });
const tenantId = newId();
afterAll(() => dialer.close());

const deliver = (
  purpose: "siem" | "alerts",
  config: object,
  items: readonly Item[],
  format: "native" | "ocsf" | "cef" = "native",
) =>
  send(
    { dialer, tenantId, timeoutMs: 5_000 },
    { purpose, config: configSchemas[purpose].parse(config) },
    items,
    {
      format,
      version: "1.0.0",
      origin: "https://oars.example",
    },
  );

const base64Secret = Buffer.from("a secret of at least twenty-four bytes").toString("base64");

describe("events reach", () => {
  it("a webhook, signed as Standard Webhooks say, under the event's id", async () => {
    await using peer = await httpPeer();
    const item = sampleEvent();
    const config = { kind: "generic_webhook", url: `${peer.url}/in`, secret: `whsec_${base64Secret}` };
    expect(await deliver("siem", config, [item])).toEqual({ kind: "delivered" });
    const [got] = peer.got;
    expect(got?.headers["webhook-id"]).toBe(item.id);
    const verified = new Webhook(base64Secret).verify(
      got?.text ?? "",
      got?.headers as Record<string, string>,
    ); // as they came
    expect(verified).toMatchObject({ id: item.id, type: "authorization.denied" });
  });

  it("Splunk, many in one request, and a code that is not 0 is a refusal", async () => {
    await using peer = await httpPeer();
    const items = [sampleEvent(), sampleEvent()];
    const config = { kind: "splunk_hec", url: `${peer.url}/services/collector`, token: "tok", index: "sec" };
    peer.answer(() => ({ status: 200, body: '{"text":"Success","code":0}' }));
    expect(await deliver("siem", config, items)).toEqual({ kind: "delivered" });
    expect(peer.got[0]?.headers.authorization).toBe("Splunk tok");
    const lines = (peer.got[0]?.text ?? "").split("\n").map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { index: "sec", time: 1_767_605_460, sourcetype: "oars:security", event: { id: items[0]?.id } },
      { event: { id: items[1]?.id } },
    ]);
    peer.answer(() => ({ status: 200, body: '{"text":"Invalid data format","code":6}' }));
    expect(await deliver("siem", config, items)).toMatchObject({ kind: "refused" });
  });

  it("Datadog, with its key in a header", async () => {
    await using peer = await httpPeer();
    const config = { kind: "datadog_logs", url: peer.url, apiKey: "dd", tags: ["env:test"] };
    await deliver("siem", config, [sampleEvent()], "ocsf");
    expect(peer.got[0]?.headers["dd-api-key"]).toBe("dd");
    const [log] = JSON.parse(peer.got[0]?.text ?? "");
    expect(log).toMatchObject({ ddsource: "oars", ddtags: "env:test", status: "warning" });
    expect(JSON.parse(log.message)).toMatchObject({ class_uid: 6003 });
  });

  it("Sentinel, signed over exactly what is sent", async () => {
    await using peer = await httpPeer();
    const config = {
      kind: "sentinel_log_analytics",
      workspaceId: "ws-1",
      sharedKey: base64Secret,
      url: `${peer.url}/api/logs`,
    };
    const items = [sampleEvent({ message: "naïve" }), sampleEvent()];
    expect(await deliver("siem", config, items)).toEqual({ kind: "delivered" });
    const { headers = {}, text = "", path = "" } = peer.got[0] ?? {};
    expect(path).toBe("/api/logs?api-version=2016-04-01");
    const signed = `POST\n${Buffer.byteLength(text)}\napplication/json\nx-ms-date:${headers["x-ms-date"]}\n/api/logs`;
    const expected = createHmac("sha256", Buffer.from(base64Secret, "base64"))
      .update(signed)
      .digest("base64");
    expect(headers.authorization).toBe(`SharedKey ws-1:${expected}`);
    expect(headers["log-type"]).toBe("OarsSecurityEvent");
    expect(JSON.parse(text)).toHaveLength(2);
  });

  it("an OpenTelemetry collector, whose rejection of a part is a refusal", async () => {
    await using peer = await httpPeer();
    const config = { kind: "otlp_logs", url: `${peer.url}/v1/logs`, headers: { "x-key": "k" } };
    const item = sampleEvent({ severity: "critical" });
    expect(await deliver("siem", config, [item])).toEqual({ kind: "delivered" });
    expect(peer.got[0]?.headers["x-key"]).toBe("k");
    const [record] = JSON.parse(peer.got[0]?.text ?? "").resourceLogs[0].scopeLogs[0].logRecords;
    expect(record).toMatchObject({ timeUnixNano: "1767605460000000000", severityNumber: 21 });
    expect(JSON.parse(record.body.stringValue)).toMatchObject({ id: item.id });
    peer.answer(() => ({ status: 200, body: '{"partialSuccess":{"rejectedLogRecords":"1"}}' }));
    expect(await deliver("siem", config, [item])).toMatchObject({ kind: "refused" });
  });

  it.each([false, true])("a syslog server (TLS: %s), each with its length", async (tls) => {
    await using peer = await syslogPeer(tls);
    const config = {
      kind: "syslog",
      host: "127.0.0.1",
      port: peer.port,
      tls,
      ca: tls ? certificate.cert : undefined,
    };
    const items = [sampleEvent({ message: "naïve 💥\nsecond line" }), sampleEvent()];
    expect(await deliver("siem", config, items, "cef")).toEqual({ kind: "delivered" });
    await until("the messages", () => peer.messages().length === 2);
    for (const message of peer.messages())
      expect(message).toMatch(/^<108>1 \S+ oars\.example oars - \S+ \[origin /);
    expect(peer.messages()[0]).toContain("\ufeffCEF:0|OARS|");
  });

  it("no syslog server that nobody vouches for, and one that hangs up took nothing", async () => {
    await using peer = await syslogPeer(true);
    const config = { kind: "syslog", host: "127.0.0.1", port: peer.port };
    expect(await deliver("siem", config, [sampleEvent()])).toMatchObject({ kind: "unavailable" });
    expect(peer.messages()).toEqual([]);
    await peer[Symbol.asyncDispose]();
    expect(await deliver("siem", config, [sampleEvent()])).toMatchObject({ kind: "unavailable" });
  });

  it("a file, line by line, turned over when it is full, the oldest parts removed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "oars-siem-"));
    const config = { kind: "file", path: join(folder, "events.ndjson"), maxBytes: 1_000, keep: 2 };
    const ids: string[] = [];
    for (let i = 0; i < 10; i++) {
      const items = [sampleEvent(), sampleEvent()];
      ids.push(...items.map((item) => item.id));
      expect(await deliver("siem", config, items)).toEqual({ kind: "delivered" });
    }
    const names = (await readdir(folder)).sort();
    expect(names).toHaveLength(3);
    const text = (await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")))).join("");
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).id);
    expect(lines.length).toBeLessThan(ids.length); // the oldest part is gone
    expect([...lines].sort()).toEqual(ids.slice(-lines.length).sort());
    await rm(folder, { recursive: true });
    const gone = { ...config, path: join(folder, "nowhere", "x") };
    expect(await deliver("siem", gone, [sampleEvent()])).toMatchObject({ kind: "unavailable" });
  });
});

describe("[C61] an alert reaches", () => {
  it("Slack as text in which nobody else can make a link or a mention", async () => {
    await using peer = await httpPeer();
    const config = { kind: "slack_webhook", url: `${peer.url}/services/x` };
    await deliver("alerts", config, [sampleAlert({ message: "<!channel> & <http://evil|x>" })]);
    const { text } = JSON.parse(peer.got[0]?.text ?? "");
    expect(text).toContain("&lt;!channel&gt; &amp; &lt;http://evil|x&gt;");
    expect(text).toContain("<https://oars.example/v1/alerts/alr_1|Open alr_");
  });

  it("PagerDuty as one incident that it opens and resolves", async () => {
    await using peer = await httpPeer();
    peer.answer(() => ({ status: 202 }));
    const config = { kind: "pagerduty_events_v2", routingKey: "R", url: peer.url };
    const opened = sampleAlert();
    const { payload } = opened;
    if (payload.kind !== "alert") throw new Error("another kind");
    const resolved: Item = {
      id: "x",
      payload: { kind: "alert", alert: { ...payload.alert, notice: "resolved" } },
    };
    await deliver("alerts", config, [opened]);
    await deliver("alerts", config, [resolved]);
    const [first, second] = peer.got.map((got) => JSON.parse(got.text));
    expect(first).toMatchObject({
      routing_key: "R",
      event_action: "trigger",
      dedup_key: payload.alert.id,
      payload: { severity: "error", class: "POLICY_DENIED" },
    });
    expect(second).toMatchObject({ event_action: "resolve", dedup_key: payload.alert.id });
  });

  it("a webhook in the form of a template, signed", async () => {
    await using peer = await httpPeer();
    const config = {
      kind: "generic_webhook",
      url: peer.url,
      secret: "plain secret",
      headers: { authorization: "GenieKey k" },
      template: { message: "{{title}}", alias: "{{id}}", priority: "{{priority}}" },
    };
    const item = sampleAlert();
    await deliver("alerts", config, [item]);
    const { headers = {}, text = "" } = peer.got[0] ?? {};
    expect(JSON.parse(text)).toMatchObject({
      priority: "P2",
      message: expect.stringContaining("POLICY_DENIED"),
    });
    expect(headers.authorization).toBe("GenieKey k");
    const signed = `${item.id}.${headers["webhook-timestamp"]}.${text}`;
    const expected = createHmac("sha256", "plain secret").update(signed).digest("base64");
    expect(headers["webhook-signature"]).toBe(`v1,${expected}`);
  });

  it("people by e-mail, with a line break in a text becoming no header", async () => {
    const mails: string[] = [];
    const server = new SMTPServer({
      disabledCommands: ["STARTTLS", "AUTH"],
      onData(stream, _session, done) {
        const chunks: Buffer[] = [];
        stream.on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.on("end", () => {
          mails.push(Buffer.concat(chunks).toString());
          done();
        });
      },
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const { port } = (server.server as TcpServer).address() as AddressInfo; // a listening TCP server has a port
    const config = {
      kind: "email",
      host: "127.0.0.1",
      port,
      security: "off",
      from: "oars@example.com",
      to: ["ann@example.com"],
    };
    const sent = await deliver("alerts", config, [
      sampleAlert({ message: "first\r\nBcc: evil@example.com" }),
    ]);
    await new Promise<void>((done) => server.close(done));
    expect(sent).toEqual({ kind: "delivered" });
    const head = (mails[0] ?? "").split("\r\n\r\n")[0] ?? "";
    expect(head).toMatch(/^Subject: OARS \[high\] POLICY_DENIED/m);
    expect(head).not.toMatch(/^Bcc/im);
  });
});

describe("what a peer answers", () => {
  it.each([
    [503, {}, { kind: "unavailable" }],
    [429, { "retry-after": "7" }, { kind: "unavailable", retryAfterMs: 7_000 }],
    [401, {}, { kind: "unavailable" }],
    [302, { location: "http://127.0.0.1:1/" }, { kind: "unavailable" }],
    [400, {}, { kind: "refused" }],
    [413, {}, { kind: "refused" }],
  ])("%s means %o", async (status, headers, expected) => {
    await using peer = await httpPeer();
    peer.answer(() => ({ status, headers: headers as Record<string, string>, body: "no\nsecond" }));
    const sent = await deliver("siem", { kind: "generic_webhook", url: peer.url }, [sampleEvent()]);
    expect(sent).toMatchObject(expected);
    expect("message" in sent && sent.message).toBe(`answered ${status}: no`);
  });

  it("a private address that is not allowed is not called", async () => {
    const sent = await deliver("siem", { kind: "generic_webhook", url: "http://169.254.169.254/latest" }, [
      sampleEvent(),
    ]);
    expect(sent).toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("NET_ADDRESS_FORBIDDEN"),
    });
  });
});
