import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { applyWrites, sql, type Tx, WriteSet } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers, until, useDatabase } from "#testing";
import { type EventType, eventCatalogue, eventTypes } from "./catalogue.ts";
import type { SecurityEvent } from "./domain.ts";
import { createSecurityEvents, type SecurityEvents } from "./service.ts";

const who = (n: number) => ({
  principalId: `0198c0de-0000-7000-8000-00000000000${n}`,
  principalKind: "user",
  principalName: `person ${n}`,
});

describe.each(drivers)("security events on %s", (driver) => {
  const db = useDatabase(driver);
  let tenantId: string;
  let other: string;
  const running: SecurityEvents[] = [];
  const failures: unknown[] = [];
  const open = (windowMs = 60_000): SecurityEvents => {
    const events = createSecurityEvents({ db: db(), windowMs, onError: (error) => failures.push(error) });
    running.push(events);
    return events;
  };
  beforeAll(async () => {
    tenantId = newId();
    other = newId();
    for (const id of [tenantId, other])
      await db().system.query(sql`insert into tenant (id, name) values (${id}, ${id})`);
    await db().system.query(sql`insert into installation (id, tenant_id) values (1, ${tenantId})`);
  });
  afterEach(async () => {
    for (const events of running.splice(0)) {
      await events.stop();
      await events.close();
    }
    await db().system.query(sql`update security_event set route_at = null where route_at is not null`);
    failures.length = 0;
  });

  const note = async (events: SecurityEvents, type: EventType, tenant = tenantId): Promise<void> => {
    const set = new WriteSet();
    await events.record(set, { tenantId: tenant, type, actor: who(1), target: { kind: "thing", id: "x" } });
    await db().committer.commit(set);
  };
  const of = (events: SecurityEvents, type: EventType, tenant = tenantId) =>
    events.list(tenant, { type }, { limit: 100 });
  /** A listener that notes what it is told, in a table that rolls back with it. */
  const listening = (
    events: SecurityEvents,
    onBatch: (batch: readonly SecurityEvent[]) => void = () => {},
  ) => {
    const told: SecurityEvent[] = [];
    events.listen(async (_tx: Tx, batch) => {
      onBatch(batch);
      told.push(...batch);
    });
    return told;
  };

  it("are durable with what they tell of, and not at all without it", async () => {
    const events = open();
    await note(events, "policy.published");
    await db()
      .tx(tenantId, async (tx) => {
        await events.record(tx, { tenantId, type: "policy.rolled_back" });
        throw new Error("the transaction ends here");
      })
      .catch(() => undefined);
    const [found] = await of(events, "policy.published");
    expect(found).toMatchObject({ severity: "medium", outcome: "success", count: 1, tenantId });
    expect(found?.actor).toMatchObject({ name: "person 1" });
    expect(await of(events, "policy.rolled_back")).toEqual([]);
    expect(await events.find(tenantId, found?.id ?? "")).toEqual(found);
    await expect(events.find(other, found?.id ?? "")).rejects.toMatchObject({ code: "EVENT_NOT_FOUND" });
  });

  it("carry where the request came from", async () => {
    const events = open();
    await events.within({ requestId: "req_1", source: "203.0.113.9" }, () => note(events, "secret.stored"));
    expect((await of(events, "secret.stored"))[0]).toMatchObject({
      requestId: "req_1",
      source: "203.0.113.9",
    });
  });

  it("cannot be changed or removed by whoever acts for a tenant", async () => {
    await note(open(), "tool.changed");
    for (const statement of [sql`update security_event set message = 'x'`, sql`delete from security_event`]) {
      await expect(db().tx(tenantId, (tx) => tx.query(statement))).rejects.toMatchObject({ code: "42501" });
    }
  });

  it("[E1] reach a listener that starts after their commit, once, though two processes tell them", async () => {
    const writer = open();
    for (let i = 0; i < 30; i++) await note(writer, "backup.created");
    const a = open();
    const b = open();
    const told = [listening(a), listening(b)];
    await Promise.all([a.start(), b.start()]);
    await until("all to be told", async () => (await writer.pending()) === 0);
    const ids = told.flat().filter((e) => e.type === "backup.created");
    expect(new Set(ids.map((e) => e.id)).size).toBe(30);
    expect(ids).toHaveLength(30);
  });

  it("[E1] are told again when what a listener wrote was rolled back", async () => {
    const events = open();
    let times = 0;
    const told = listening(events, () => {
      if (++times === 1) throw new Error("the listener broke");
    });
    await note(events, "key.rotated");
    await events.start();
    await until("it to be told", () => told.some((e) => e.type === "key.rotated"));
    expect(failures).toHaveLength(1);
  });

  it("[E2] one that breaks a listener keeps back none of the others", async () => {
    const events = open();
    const told = listening(events, (batch) => {
      if (batch.some((e) => e.type === "key.revoked")) throw new Error("it cannot be told");
    });
    await note(events, "key.revoked");
    for (let i = 0; i < 3; i++) await note(events, "evidence.exported");
    await events.start();
    await until(
      "the others to be told",
      () => told.filter((e) => e.type === "evidence.exported").length === 3,
    );
    expect(told.some((e) => e.type === "key.revoked")).toBe(false);
    await until("the others to be marked", async () => {
      const left = await db().system.query<{ type: string }>(
        sql`select type from security_event where route_at is not null`,
      );
      return left.length === 1 && left[0]?.type === "key.revoked";
    });
  });

  it("[E3] the first of a kind is an event at once, and a thousand more are one with their count", async () => {
    const events = open();
    const draft = { tenantId, type: "authorization.denied", actor: who(2) } as const;
    for (let i = 0; i < 1001; i++) events.count(draft);
    await events.flush();
    expect((await of(events, "authorization.denied")).map((e) => e.count).sort()).toEqual([1, 1000]);
    for (let i = 0; i < 500; i++) events.count(draft);
    await events.flush();
    expect((await of(events, "authorization.denied")).map((e) => e.count).sort()).toEqual([1, 1500]);
  });

  it("[E3] a count is told when its window ends, with all that it counted", async () => {
    const events = open(1);
    const told = listening(events);
    const draft = { tenantId, type: "receipt.verify_failed" } as const;
    for (let i = 0; i < 8; i++) events.count(draft);
    await events.close();
    await events.start();
    await until("both to be told", () => told.filter((e) => e.type === "receipt.verify_failed").length === 2);
    expect(told.map((e) => e.count).sort()).toEqual([1, 7]);
  });

  it("[E4] ten thousand sources fill no more than a window's keys, and all are counted", async () => {
    const events = open();
    for (let i = 0; i < 10_000; i++) {
      const source = `198.51.${Math.floor(i / 250)}.${i % 250}`;
      events.within({ requestId: `r${i}`, source }, () =>
        events.count({ tenantId: null, type: "authentication.failed" }),
      );
    }
    await events.flush();
    const rows = await events.list(tenantId, { type: "authentication.failed" }, { limit: 1000 });
    expect(rows.length).toBeLessThanOrEqual(202);
    expect(rows.reduce((sum, e) => sum + e.count, 0)).toBe(10_000);
  });

  it("are listed newest first, page by page, and a tenant sees its own alone", async () => {
    const events = open();
    for (let i = 0; i < 5; i++) await note(events, "control.changed");
    await note(events, "control.changed", other);
    const first = await events.list(tenantId, { type: "control.changed" }, { limit: 2 });
    expect(first).toHaveLength(3); // one more says that there is more
    const before = first[1]?.id;
    const rest = await events.list(tenantId, { type: "control.changed" }, { limit: 10, before });
    expect(rest).toHaveLength(3);
    expect(
      [...first.slice(0, 2), ...rest].every((e, i, all) => i === 0 || e.id < (all[i - 1]?.id ?? "")),
    ).toBe(true);
  });

  it("hostile text is kept as text, shortened", async () => {
    const events = open();
    const set = new WriteSet();
    await events.record(set, {
      tenantId,
      type: "tool.reviewed",
      message: `a\0b${"x".repeat(5_000)}`,
      details: { big: "y".repeat(20_000) },
    });
    await db().tx(tenantId, (tx) => applyWrites(tx, set));
    const [found] = await of(events, "tool.reviewed");
    expect(found?.message).toHaveLength(500);
    expect(found?.details).toEqual({ omitted: true });
  });
});

describe("the catalogue", () => {
  it("names each type by its subject and what happened, with a sentence", () => {
    expect(eventTypes.length).toBeGreaterThan(60);
    for (const type of eventTypes) {
      expect(type).toMatch(/^[a-z_]+\.[a-z_]+$/);
      expect(eventCatalogue[type].message).toMatch(/^[A-Z].*\.$/);
    }
  });
});
