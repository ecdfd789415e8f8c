/** When claims are made: up to the slots, not while memory is short, and how rarely when there is nothing. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { useDatabase } from "#testing";
import { Claimer } from "./claim.ts";
import { ClaimLoop } from "./claim-loop.ts";
import { lookAround } from "./claim-store.ts";
import { plantRuns, tenantNo } from "./sample-runs.ts";
import type { ClaimedRun } from "./store.ts";

describe("the claim loop on postgres", () => {
  const db = useDatabase("postgres");
  let loop: ClaimLoop;
  const taken: ClaimedRun[] = [];
  const left: (string | undefined)[] = [];
  let slots = 0;
  let strained = false;
  /** How often it asked for the memory. */
  let asked = 0;
  let most = 0;

  /** A hand with so many slots, which runs leave when the test says so. */
  const hand = {
    reserved: 0,
    spare: 0,
    few: false,
    hasFew() {
      return this.few;
    },
    get free() {
      return slots - taken.length - this.reserved;
    },
    reserve(n: number) {
      this.reserved += n;
      most = Math.max(most, n);
    },
    unreserve(n: number) {
      this.reserved -= n;
    },
    async take(run: ClaimedRun) {
      this.reserved--;
      taken.push(run);
    },
  };

  beforeEach(async () => {
    await db().system.query(sql`delete from run`);
    Object.assign(hand, { reserved: 0, spare: 0, few: false });
    taken.length = 0;
    left.length = 0;
    slots = 10;
    strained = false;
    most = 0;
    loop = new ClaimLoop({
      claimer: new Claimer({ db: db(), workerId: newId(), maxRunning: null }),
      inHand: hand,
      strained: () => {
        asked++;
        return strained;
      },
      look: async () => (await lookAround(db())).queued,
      onLeft: (tenantId) => left.push(tenantId),
      onClaim: () => {},
      onError: (error) => {
        throw error;
      },
    });
  });
  afterEach(() => loop.stop());
  const reach = async (count: number): Promise<void> => {
    const deadline = performance.now() + 5_000;
    while (taken.length < count && performance.now() < deadline) await new Promise(setImmediate);
    expect(taken).toHaveLength(count);
  };
  const settled = async (): Promise<number> => {
    const [row] = await db().system.query<{ n: number }>(
      sql`select count(*)::int4 as n from run where status = 'running'`,
    );
    return row?.n ?? -1;
  };
  const leave = (run: ClaimedRun | undefined): void => {
    taken.splice(0, 1);
    loop.freed(run?.tenantId ?? "");
  };

  it("never has more runs than slots, and takes the next as soon as one leaves", async () => {
    await plantRuns(db(), { tenants: [1, 3], each: 20 });
    loop.start();
    await reach(10);
    expect(loop.openTo(newId())).toBe(false); // a new run must not overtake those that are queued
    leave(taken[0]);
    await reach(10);
    expect(await settled()).toBe(11); // the one that left is still running, as far as the database knows
    expect(most).toBe(10);
  });

  it("leaves a few slots to tenants that have little under way, which begin behind nobody", async () => {
    hand.spare = 3;
    await plantRuns(db(), { tenants: [1, 1], each: 20 });
    loop.start();
    await reach(7);
    expect(await settled()).toBe(7);
    expect(loop.openTo(tenantNo(1))).toBe(false);
    hand.few = true;
    expect(loop.openTo(tenantNo(2))).toBe(true);
    slots = 7;
    expect(loop.openTo(tenantNo(2))).toBe(false);
  });

  it("takes nothing while memory is short, lets others know, and goes on when there is some again", async () => {
    strained = true;
    loop.start();
    await plantRuns(db(), { tenants: [1, 1], each: 5 });
    loop.wake(tenantNo(1));
    expect(loop.openTo(newId())).toBe(false);
    const before = asked;
    while (asked < before + 6) await new Promise(setImmediate); // it has looked a few times
    expect(await settled()).toBe(0);
    expect(left).toContain(tenantNo(1));
    strained = false;
    await reach(5);
  });

  it("tells others of what it woke for and has no slot for, and not of what others told it", async () => {
    slots = 2;
    await plantRuns(db(), { tenants: [1, 1], each: 5 });
    loop.start();
    await reach(2);
    expect(left).toEqual([]); // it looked by itself
    loop.heard(undefined);
    await new Promise(setImmediate);
    expect(left).toEqual([]);
    loop.wake(tenantNo(1));
    expect(left).toEqual([tenantNo(1)]);
    leave(taken[0]);
    await reach(2);
    slots = 4;
    loop.wake(tenantNo(1));
    await reach(4);
    expect(left).toHaveLength(2); // the fifth run
  });
});
