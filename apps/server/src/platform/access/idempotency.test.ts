import { AsyncResource } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { defineWrite, sql, WriteSet } from "#platform/db";
import { newId } from "#platform/kernel";
import { createVault } from "#platform/vault";
import { drivers, useDatabase } from "#testing";
import {
  createEffectFence,
  createIdempotency,
  fingerprintOf,
  type Idempotency,
  type Reserved,
} from "./index.ts";

const answer = { status: 201, headers: { etag: '"1"' }, body: { needle: "in-the-body" } };

describe.each(drivers)("idempotency on %s", (driver) => {
  const fence = createEffectFence();
  const db = useDatabase(driver);
  const make = (): Idempotency =>
    createIdempotency({
      db: db(),
      vault: createVault({ db: db(), kek: new Uint8Array(32).fill(4) }),
      fence,
    });

  function setup() {
    const idempotency = make();
    const [tenantId, principalId, key] = [newId(), newId(), newId()];
    const reserve = (fingerprint = "f", by = idempotency): Promise<Reserved> =>
      by.reserve(tenantId, principalId, "POST /v1/actions", key, fingerprint);
    const fresh = async () => {
      const reserved = await reserve();
      if (reserved.kind !== "fresh") throw new Error(`expected a fresh reservation, got ${reserved.kind}`);
      return reserved.reservation;
    };
    const age = (interval: string): Promise<unknown> =>
      db().system.query(sql`update idempotency set reserved_at = reserved_at - ${interval}::interval,
        completed_at = completed_at - ${interval}::interval where tenant_id = ${tenantId}`);
    return { idempotency, tenantId, principalId, key, reserve, fresh, age };
  }

  it("[I1] of 20 concurrent requests with one key exactly one runs", async () => {
    const { reserve } = setup();
    const [a, b] = [make(), make()];
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => reserve("f", i % 2 ? a : b)));
    expect(all.filter((r) => r.kind === "fresh")).toHaveLength(1);
    const waiting = all.filter((r) => r.kind === "in_progress");
    expect(waiting).toHaveLength(19);
    for (const w of waiting) {
      expect(w.retryAfterSeconds).toBeGreaterThanOrEqual(1);
      expect(w.retryAfterSeconds).toBeLessThanOrEqual(60);
    }
  });

  it("[I2] the answer is replayed as it was, in every process", async () => {
    const { idempotency, fresh, reserve } = setup();
    expect(await idempotency.complete(await fresh(), answer)).toBe(true);
    expect(await reserve()).toEqual({ kind: "replay", ...answer });
    expect(await reserve("f", make())).toEqual({ kind: "replay", ...answer });
  });

  it("[I2] an answer is kept for a day and the key is new after that, for any request", async () => {
    const { idempotency, fresh, reserve, age } = setup();
    await idempotency.complete(await fresh(), answer);
    await age("23 hours 59 minutes");
    expect((await reserve()).kind).toBe("replay");
    await age("2 minutes");
    expect((await reserve("another")).kind).toBe("fresh");
  });

  it("[I3] another request with the key is a conflict, before and after the answer", async () => {
    const { idempotency, fresh, reserve } = setup();
    const reservation = await fresh();
    expect(await reserve("other")).toEqual({ kind: "conflict" });
    await idempotency.complete(reservation, answer);
    expect(await reserve("other")).toEqual({ kind: "conflict" });
  });

  it("[I4] a dead process's reservation is taken over after 60 s by one, and the dead cannot complete it", async () => {
    const { idempotency, fresh, reserve, age } = setup();
    const dead = await fresh();
    await age("59 seconds");
    expect((await reserve()).kind).toBe("in_progress");
    await age("2 seconds");
    expect((await reserve("other")).kind).toBe("conflict");
    const heirs = (await Promise.all([reserve(), reserve(), reserve()])).filter((r) => r.kind === "fresh");
    expect(heirs).toHaveLength(1);
    expect(await idempotency.complete(dead, answer)).toBe(false);
    expect(await idempotency.renew(dead)).toBe(false);
    await idempotency.release(dead);
    const [heir] = heirs;
    expect(heir && (await idempotency.complete(heir.reservation, answer))).toBe(true);
    expect((await reserve()).kind).toBe("replay");
  });

  it("[I4] whoever lost the key changes nothing any more", async () => {
    const { idempotency, tenantId, fresh, reserve, age } = setup();
    const dead = await fresh();
    await age("61 seconds");
    const heir = await reserve();
    const guarded = fence.wrap(db());
    const write = () =>
      guarded.tx(tenantId, (tx) =>
        tx.query(
          sql`insert into tool_allowance (tenant_id, patterns, updated_by) values (${tenantId}, '{}', ${newId()})`,
        ),
      );
    const written = async () =>
      (await db().system.query(sql`select 1 from tool_allowance where tenant_id = ${tenantId}`)).length;
    await expect(idempotency.run(dead, write)).rejects.toMatchObject({ code: "IDEMPOTENCY_IN_PROGRESS" });
    expect(await written()).toBe(0);
    if (heir.kind !== "fresh") throw new Error("the key was to be taken over");
    await idempotency.run(heir.reservation, write);
    expect(await written()).toBe(1);
  });

  it("[I5] a request that died after its effect is never run again, by transaction or by write set", async () => {
    const guarded = fence.wrap(db());
    const mark = defineWrite<{ tenant_id: string; by: string }>({
      name: "test.allow",
      order: 50,
      columns: { tenant_id: "uuid", by: "uuid" },
      text: `/* test.allow */ insert into tool_allowance (tenant_id, patterns, updated_by) select b.tenant_id, '{}', b.by from batch b`,
    });
    const effects: readonly ((tenantId: string) => Promise<unknown>)[] = [
      (tenantId: string) => guarded.tx(tenantId, (tx) => tx.query(sql`select 1`)),
      (tenantId: string) =>
        guarded.committer.commit(new WriteSet().add(mark, { tenant_id: tenantId, by: newId() })),
    ];
    for (const effect of effects) {
      const { idempotency, tenantId, fresh, reserve, age } = setup();
      await idempotency.run(await fresh(), () => effect(tenantId));
      expect((await reserve()).kind).toBe("in_progress");
      await age("61 seconds");
      expect(await reserve()).toEqual({ kind: "lost" });
      expect((await reserve("other")).kind).toBe("conflict");
    }
  });

  it("[I5] what goes on in the background of a request does not touch its key", async () => {
    const { idempotency, tenantId, fresh } = setup();
    const guarded = fence.wrap(db());
    const reservation = await fresh();
    let later: () => Promise<unknown> = async () => {};
    await idempotency.run(reservation, async () => {
      later = AsyncResource.bind(() => guarded.tx(tenantId, (tx) => tx.query(sql`select 1`)));
    });
    await idempotency.release(reservation);
    await expect(later()).resolves.toEqual(expect.anything());
  });

  it("[I4] a renewed reservation is not taken over", async () => {
    const { idempotency, fresh, reserve, age } = setup();
    const reservation = await fresh();
    await age("50 seconds");
    expect(await idempotency.renew(reservation)).toBe(true);
    await age("50 seconds");
    expect((await reserve()).kind).toBe("in_progress");
  });

  it("a released key is free; an answered one is not released", async () => {
    const { idempotency, fresh, reserve } = setup();
    await idempotency.release(await fresh());
    const again = await fresh();
    await idempotency.complete(again, answer);
    await idempotency.release(again);
    expect((await reserve()).kind).toBe("replay");
  });

  it("an answer written in a transaction that rolls back was never given", async () => {
    const { idempotency, tenantId, fresh, reserve } = setup();
    const reservation = await fresh();
    const failed = db().tx(tenantId, async (tx) => {
      await idempotency.complete(reservation, answer, tx);
      throw new Error("rolled back");
    });
    await expect(failed).rejects.toThrow("rolled back");
    expect((await reserve()).kind).toBe("in_progress");
    await db().tx(tenantId, (tx) => idempotency.complete(reservation, answer, tx));
    expect((await reserve()).kind).toBe("replay");
  });

  it("keys of other principals, routes and tenants are other keys", async () => {
    const { idempotency, tenantId, principalId, key, fresh } = setup();
    await fresh();
    for (const [t, p, r] of [
      [newId(), principalId, "POST /v1/actions"],
      [tenantId, newId(), "POST /v1/actions"],
      [tenantId, principalId, "POST /v1/runs"],
    ] as const) {
      expect((await idempotency.reserve(t, p, r, key, "f")).kind).toBe("fresh");
    }
  });

  it("answers are not readable in the database", async () => {
    const { idempotency, tenantId, fresh } = setup();
    await idempotency.complete(await fresh(), answer);
    const [row] = await db().system.query<{ answer: Uint8Array }>(
      sql`select answer from idempotency where tenant_id = ${tenantId}`,
    );
    expect(Buffer.from(row?.answer ?? []).length).toBeGreaterThan(10);
    expect(Buffer.from(row?.answer ?? []).includes("needle")).toBe(false);
  });

  it.each(["", "a b", "ü", "x".repeat(257)])("refuses the key %j", async (key) => {
    const attempt = make().reserve(newId(), newId(), "POST /x", key, "f");
    await expect(attempt).rejects.toMatchObject({ code: "REQUEST_INVALID" });
  });

  it("purges what is over, of every tenant, and nothing else", async () => {
    const [old, young] = [setup(), setup()];
    await old.idempotency.complete(await old.fresh(), answer);
    await young.fresh();
    await old.age("26 hours");
    expect(await old.idempotency.purge(100)).toBe(1);
    expect(await young.idempotency.purge(100)).toBe(0);
    expect((await young.reserve()).kind).toBe("in_progress");
  });
});

it("a fingerprint tells method, path and body apart", () => {
  const all = [
    fingerprintOf("POST", "/v1/a", "b"),
    fingerprintOf("PUT", "/v1/a", "b"),
    fingerprintOf("POST", "/v1/ab", ""),
    fingerprintOf("POST", "/v1/a", "c"),
  ];
  expect(new Set(all).size).toBe(4);
  expect(fingerprintOf("post", "/v1/a", Buffer.from("b"))).toBe(all[0]);
});
