/** Queue, lanes and dead letters over real databases and real peers. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Caller, Permission } from "#platform/access";
import { sql, WriteSet } from "#platform/db";
import { createSecurityEvents, type EventType, type SecurityEvents } from "#platform/events";
import { newId } from "#platform/kernel";
import { createDialer, type Dialer } from "#platform/net";
import { createVault } from "#platform/vault";
import { drivers, until, useDatabase } from "#testing";
import { readEnvTargets } from "./env-targets.ts";
import { createDelivery, type Delivery } from "./service.ts";
import { type HttpPeer, httpPeer } from "./testing-peers.ts";

/** What the tests write: targets tell of their own changes too. */
const noted = ["backup.*", "key.*", "tool.*"];

describe.each(drivers)("delivery on %s", (driver) => {
  const db = useDatabase(driver);
  const tenantId = newId();
  const other = newId();
  const failures: unknown[] = [];
  let dialer: Dialer;
  const processes: { events: SecurityEvents; delivery: Delivery }[] = [];
  const peers: HttpPeer[] = [];
  const peer = async (): Promise<HttpPeer> => {
    const one = await httpPeer();
    peers.push(one);
    return one;
  };
  const admin = (tenant = tenantId): Caller => ({
    tenantId: tenant,
    principalId: newId(),
    principalKind: "user",
    principalName: "ann",
    ownerId: null,
    roles: ["admin"],
    permissions: new Set<Permission>(["siem:read", "siem:write"]),
    credential: { kind: "internal", id: "x" },
  });
  /** A process, as far as the database can tell. */
  const open = (more: { baseMs?: number; maxAttempts?: number; env?: object[]; workerId?: string } = {}) => {
    const onError = (error: unknown): void => void failures.push(error);
    const events = createSecurityEvents({ db: db(), onError });
    const delivery = createDelivery({
      db: db(),
      vault: createVault({ db: db(), kek: new Uint8Array(32).fill(7) }),
      dialer,
      events,
      workerId: more.workerId ?? newId(),
      origin: "https://oars.example",
      version: "1.0.0",
      retry: { baseMs: more.baseMs ?? 20, maxAttempts: more.maxAttempts ?? 3 },
      fromEnv: readEnvTargets({
        siemTargets: (more.env ?? []) as Record<string, unknown>[],
        siemWebhookUrl: null,
        siemFilePath: null,
        alertChannels: [],
        alertWebhookUrl: null,
      }),
      operator: async () => tenantId,
      onError,
    });
    const process = { events, delivery };
    processes.push(process);
    return process;
  };
  const start = async ({ events, delivery }: { events: SecurityEvents; delivery: Delivery }) => {
    await events.start();
    await delivery.start();
  };
  const note = async (n: number, type: EventType = "backup.created", tenant = tenantId): Promise<void> => {
    const [{ events } = open()] = processes;
    const set = new WriteSet();
    for (let i = 0; i < n; i++) await events.record(set, { tenantId: tenant, type });
    await db().committer.commit(set);
  };
  const target = (delivery: Delivery, name: string, url: string, more: object = {}, caller = admin()) =>
    delivery.put(caller, name, {
      purpose: "siem",
      config: { kind: "generic_webhook", url },
      types: noted,
      ...more,
    });
  const idsAt = (at: HttpPeer): string[] => at.got.map((got) => String(got.headers["webhook-id"]));
  const dead = (delivery: Delivery) =>
    delivery.deadLetters(admin(), { state: "open", limit: 100, before: null });

  beforeAll(async () => {
    dialer = createDialer({ allow: ["127.0.0.0/8"], maxResponseBytes: 1_000_000, connectTimeoutMs: 2_000 });
    for (const id of [tenantId, other])
      await db().system.query(sql`insert into tenant (id, name) values (${id}, ${id})`);
  });
  afterEach(async () => {
    for (const { events, delivery } of processes.splice(0)) {
      await events.stop();
      await delivery.stop();
      await events.close();
    }
    for (const one of peers.splice(0)) await one[Symbol.asyncDispose]();
    await db().system.query(sql`update security_event set route_at = null where route_at is not null`);
    for (const table of [
      sql`delete from delivery`,
      sql`delete from dead_letter`,
      sql`delete from delivery_target`,
    ])
      await db().system.query(table);
    expect(failures.splice(0)).toEqual([]);
  });
  afterAll(() => dialer?.close());

  it("[D1][C63] events that were committed while nobody sent reach every target that wants them, once, under their ids", async () => {
    const [a, b] = [await peer(), await peer()];
    const { delivery } = open();
    await target(delivery, "all", a.url);
    await target(delivery, "grave", b.url, { minSeverity: "high", types: ["backup.*", "key.revoked"] });
    await note(20);
    await note(1, "backup.restored");
    const later = open(); // the process that wrote them is gone
    await start(later);
    await until("all to arrive", () => a.got.length >= 21 && b.got.length >= 1);
    expect(new Set(idsAt(a)).size).toBe(21);
    expect([a.got.length, b.got.length]).toEqual([21, 1]);
    expect(JSON.parse(b.got[0]?.text ?? "")).toMatchObject({ type: "backup.restored" });
  });

  it("[D1] a process that dies between sending and noting it sends again under the same id; two that live share the work", async () => {
    const at = await peer();
    const { delivery } = open();
    await target(delivery, "siem", at.url);
    const dying = newId();
    await note(40);
    const [first, second] = [open(), open()];
    await db().system.query(sql`select 1`);
    await first.events.start();
    await until("the queue to fill", async () => (await delivery.figures()).queued === 40);
    await db().system.query(
      sql`update delivery set claimed_by = ${dying}, available_at = now() + interval '1 hour' where id in (select id from delivery order by id limit 10)`,
    );
    await Promise.all([first.delivery.start(), second.delivery.start()]);
    await until("the others to arrive", () => at.got.length >= 30);
    expect(new Set(idsAt(at)).size).toBe(30);
    expect(at.got).toHaveLength(30);
    await db().system.tx((tx) => second.delivery.onDeath(tx, dying));
    await until("those of the dead", () => new Set(idsAt(at)).size === 40);
  });

  it("[D2][W52] a target that hangs keeps back neither another target nor whoever wrote the event", async () => {
    const [hanging, well] = [await peer(), await peer()];
    const { promise, resolve } = Promise.withResolvers<void>();
    hanging.answer(async () => {
      await promise;
      return { status: 200 };
    });
    const process = open();
    await target(process.delivery, "hanging", hanging.url);
    await target(process.delivery, "well", well.url);
    await start(process);
    await note(5); // returns while nobody has answered
    await until("the well one to have all", () => well.got.length === 5);
    expect(hanging.got.length).toBeLessThanOrEqual(1);
    resolve();
    await until("the other to follow", () => hanging.got.length === 5);
  });

  it("[D1][C63] what fails is tried again, given up where it is seen, replayed by one of two, and resolved", async () => {
    const at = await peer();
    at.answer(() => ({ status: 503, body: "no room" }));
    const process = open();
    const { delivery } = process;
    await target(delivery, "siem", at.url);
    await start(process);
    await note(2);
    await until("both to be given up", async () => (await dead(delivery)).length === 2);
    const [one, two] = await dead(delivery);
    expect(one).toMatchObject({ attempts: 3, lastError: "answered 503: no room", targetName: "siem" });
    const told = await process.events.list(tenantId, { type: "delivery.dead_lettered" }, { limit: 10 });
    expect(told[0]).toMatchObject({ severity: "high", target: { kind: "target", id: "siem" } });
    at.answer(() => ({ status: 200 }));
    at.got.length = 0;
    const both = await Promise.allSettled([1, 2].map(() => delivery.replay(admin(), one?.id ?? "")));
    expect(both.map((r) => r.status).sort()).toEqual(["fulfilled", "rejected"]);
    await until("it to arrive", () => at.got.length === 1);
    expect(idsAt(at)[0]).toBe(one?.payload.kind === "event" ? one.payload.event.id : "");
    await expect(delivery.resolve(admin(other), two?.id ?? "", "not theirs")).rejects.toMatchObject({
      code: "DEAD_LETTER_NOT_FOUND",
    });
    const closed = await delivery.resolve(admin(), two?.id ?? "", "known outage");
    expect(closed).toMatchObject({ state: "resolved", reason: "known outage" });
    await expect(delivery.replay(admin(), two?.id ?? "")).rejects.toMatchObject({
      code: "DEAD_LETTER_CLOSED",
    });
    const types = (await process.events.list(tenantId, {}, { limit: 10 })).map((e) => e.type);
    expect(types).toEqual(expect.arrayContaining(["delivery.replayed", "delivery.resolved"]));
  });

  it("[D3][W53] a target that is down is left alone, and what waits for it waits in the database without a limit", async () => {
    const at = await peer();
    let calls = 0;
    at.answer(() => {
      calls += 1;
      return { status: 503 };
    });
    const process = open({ baseMs: 3_600_000, maxAttempts: 50 });
    await target(process.delivery, "siem", at.url);
    await note(150);
    await start(process);
    await until("it to be left alone", async () => {
      const [found] = await process.delivery.list(admin());
      return found?.openUntil !== null && found?.queued === 150 && found.failures >= 3;
    });
    expect(calls).toBe(3);
    at.answer(() => ({ status: 200 }));
    expect(await process.delivery.flush(admin())).toBe(150);
    await until("all to arrive", async () => (await process.delivery.figures()).queued === 0);
    expect(new Set(idsAt(at).slice(3)).size).toBe(150);
  });

  it("[D3] a target that says when to come again is left alone until then", async () => {
    const at = await peer();
    at.answer(() => ({ status: 429, headers: { "retry-after": "900" } }));
    const process = open();
    await target(process.delivery, "siem", at.url);
    await start(process);
    await note(3);
    await until(
      "it to be left alone",
      async () => (await process.delivery.list(admin()))[0]?.openUntil != null,
    );
    const [found] = await process.delivery.list(admin());
    expect((found?.openUntil?.getTime() ?? 0) - (found?.lastFailureAt?.getTime() ?? 0)).toBe(900_000);
    expect(at.got).toHaveLength(1);
  });

  it("[D4] what a target will never take is found among many and given up at once; the others arrive", async () => {
    const at = await peer();
    at.answer(({ text }) => ({ status: text.includes("key.revoked") ? 400 : 200 }));
    const process = open();
    const config = { kind: "datadog_logs", apiKey: "k", url: at.url };
    await process.delivery.put(admin(), "dd", { purpose: "siem", config, types: noted });
    await note(9);
    await note(1, "key.revoked");
    await start(process);
    await until("it to be given up", async () => (await dead(process.delivery)).length === 1);
    expect(await dead(process.delivery)).toMatchObject([
      { attempts: 1, payload: { event: { type: "key.revoked" } } },
    ]);
    await until("the rest to leave", async () => (await process.delivery.figures()).queued === 0);
    const [found] = await process.delivery.list(admin());
    expect(found?.delivered).toBeGreaterThanOrEqual(9);
    expect(found?.failures).toBe(0);
  });

  it("[C63] a paused target is queued for, and has it all when it is resumed", async () => {
    const at = await peer();
    const process = open();
    await target(process.delivery, "siem", at.url);
    await process.delivery.setPaused(admin(), "siem", true);
    await start(process);
    await note(4);
    await until(
      "them to be queued",
      async () => ((await process.delivery.list(admin()))[0]?.queued ?? 0) >= 4,
    );
    expect(at.got).toEqual([]);
    await process.delivery.setPaused(admin(), "siem", false);
    await until("all to arrive", () => at.got.length >= 4);
  });

  it("targets of the environment take events of all tenants, those of a tenant its own alone", async () => {
    const [all, own] = [await peer(), await peer()];
    const process = open({ env: [{ id: "operator", type: "generic_webhook", url: all.url }] });
    await target(process.delivery, "own", own.url, {}, admin(other));
    await start(process);
    await until(
      "the operator's to be known",
      async () => (await process.delivery.list(admin())).length === 1,
    );
    await note(1, "tool.changed");
    await note(1, "tool.reviewed", other);
    const arrived = (at: HttpPeer, type: string) => at.got.some((got) => got.text.includes(type));
    await until(
      "all to arrive",
      () => arrived(all, "tool.changed") && arrived(all, "tool.reviewed") && own.got.length >= 1,
    );
    const types = (at: HttpPeer) =>
      at.got.map((got) => JSON.parse(got.text).type).filter((t) => t.startsWith("tool"));
    expect(types(all).sort()).toEqual(["tool.changed", "tool.reviewed"]);
    expect(types(own)).toEqual(["tool.reviewed"]);
    await expect(process.delivery.remove(admin(), "operator")).rejects.toMatchObject({
      code: "TARGET_OF_ENVIRONMENT",
    });
    await expect(target(process.delivery, "operator", own.url)).rejects.toMatchObject({
      code: "TARGET_OF_ENVIRONMENT",
    });
  });

  it("a configuration is sealed, tested with its secrets, and refused with all its faults", async () => {
    const at = await peer();
    const { delivery } = open();
    const config = { kind: "generic_webhook", url: at.url, secret: "hush-hush" };
    const put = await delivery.put(admin(), "sealed", { purpose: "siem", config });
    expect(put.config).toMatchObject({ secret: "[secret]" });
    const [row] = await db().system.query<{ text: string; sealed: Uint8Array }>(
      sql`select t::text as text, t.sealed from delivery_target t where t.name = 'sealed'`,
    );
    expect(row?.text).not.toContain("hush");
    expect(Buffer.from(row?.sealed ?? []).includes("hush")).toBe(false);
    expect(await delivery.test(admin(), "sealed")).toMatchObject({ ok: true });
    expect(at.got[0]?.headers["webhook-signature"]).toMatch(/^v1,/);
    at.answer(() => ({ status: 500 }));
    expect(await delivery.test(admin(), "sealed")).toMatchObject({ ok: false, message: "answered 500: {}" });
    const bad = { kind: "splunk_hec", url: "ftp://x", token: "a\nb", more: 1 };
    await expect(delivery.put(admin(), "bad", { purpose: "siem", config: bad })).rejects.toMatchObject({
      code: "TARGET_INVALID",
      errors: expect.arrayContaining([
        expect.objectContaining({ path: "config.url" }),
        expect.objectContaining({ path: "config.token" }),
      ]),
    });
    const file = { kind: "file", path: "/etc/passwd" };
    await expect(delivery.put(admin(), "file", { purpose: "siem", config: file })).rejects.toMatchObject({
      code: "TARGET_INVALID",
    });
    await expect(delivery.find(admin(other), "sealed")).rejects.toMatchObject({ code: "TARGET_NOT_FOUND" });
  });
});

describe("targets of the environment", () => {
  const read = (siemTargets: Record<string, unknown>[], more: object = {}) =>
    readEnvTargets({
      siemTargets,
      siemWebhookUrl: null,
      siemFilePath: null,
      alertChannels: [],
      alertWebhookUrl: null,
      ...more,
    });

  it("are refused with every fault of every entry", () => {
    try {
      read([
        { id: "a", kind: "splunk_hec", url: "x" },
        { kind: "file", path: "p" },
        { id: "c", kind: "nonsense" },
      ]);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "CONFIG_INVALID" });
      for (const path of ["[0].url", "[0].token", "[1].id", "[2].kind"])
        expect((error as Error).message).toContain(`OARS_SIEM_TARGETS${path}`);
    }
  });

  it("have their old names, and may be switched off", () => {
    const url = "https://siem.example/in";
    const targets = read([{ id: "off", kind: "nonsense", enabled: false }], {
      siemWebhookUrl: url,
      siemFilePath: "/tmp/x",
      alertWebhookUrl: url,
    });
    expect(targets.map((t) => `${t.purpose} ${t.name}`)).toEqual([
      "siem legacy_siem_webhook",
      "siem legacy_siem_file",
      "alerts legacy_alert_webhook",
    ]);
  });
});
