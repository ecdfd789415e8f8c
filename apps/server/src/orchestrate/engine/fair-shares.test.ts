import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Contender, FairShares } from "./fair-shares.ts";

const noTies = (): number => 0;
const countsOf = (picks: readonly string[]): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const id of picks) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
};

/** Takes `limit` runs of those that have them and says of whom; `queued` goes down. */
function serve(shares: FairShares, queued: Map<string, number>, weights: Map<string, number>, limit: number) {
  const contenders = [...queued].filter(([, n]) => n > 0).map(([tenantId]) => of(tenantId, weights));
  const asked = countsOf(shares.plan(contenders, limit));
  const taken = new Map<string, number>();
  for (const [tenantId, n] of asked) {
    const got = Math.min(n, queued.get(tenantId) ?? 0);
    queued.set(tenantId, (queued.get(tenantId) ?? 0) - got);
    taken.set(tenantId, got);
  }
  shares.charge([...taken].map(([tenantId, n]) => [of(tenantId, weights), n] as const));
  return taken;
}
const of = (tenantId: string, weights: ReadonlyMap<string, number>): Contender => ({
  tenantId,
  weight: weights.get(tenantId) ?? 1,
});

describe("the shares of tenants", () => {
  it("[F1] are in proportion to weights for as long as all have work, however claims are cut", () => {
    const tenant = fc.record({ weight: fc.double({ min: 0.1, max: 20, noNaN: true }) });
    fc.assert(
      fc.property(
        fc.array(tenant, { minLength: 2, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 20, maxLength: 60 }),
        (tenants, claims) => {
          const weights = new Map(tenants.map(({ weight }, i) => [`t${i}`, weight] as const));
          const queued = new Map([...weights.keys()].map((id) => [id, 1e9] as const));
          const shares = new FairShares();
          const total = new Map<string, number>();
          for (const limit of claims)
            for (const [id, n] of serve(shares, queued, weights, limit))
              total.set(id, (total.get(id) ?? 0) + n);
          // what each has had, over its weight, lies within one run of every other
          const times = [...weights].map(([id, weight]) => ({
            time: (total.get(id) ?? 0) / weight,
            step: 1 / weight,
          }));
          for (const a of times)
            for (const b of times) expect(a.time - b.time).toBeLessThanOrEqual(a.step + 1e-6);
        },
      ),
    );
  });

  it("[F1] do not depend on how much each has queued: a flood of one delays no other", () => {
    const queued = new Map([
      ["flood", 10_000],
      ["small", 10],
    ]);
    const shares = new FairShares(noTies);
    const taken = serve(shares, queued, new Map(), 20);
    expect(taken.get("small")).toBe(10);
  });

  it("[F2] begin at the present for one that comes late: it is neither owed what it did not use nor made to wait", () => {
    const weights = new Map<string, number>();
    const queued = new Map([["old", 1e6]]);
    const shares = new FairShares(noTies);
    for (let i = 0; i < 100; i++) serve(shares, queued, weights, 50);
    queued.set("late", 1e6);
    const first = serve(shares, queued, weights, 10);
    expect(first.get("late")).toBeGreaterThanOrEqual(5);
    expect(first.get("late")).toBeLessThanOrEqual(6);
    const next = serve(shares, queued, weights, 10);
    expect((first.get("old") ?? 0) + (next.get("old") ?? 0)).toBeGreaterThanOrEqual(9);
  });

  it("[F2] hold nothing against one that had all for itself while nobody else wanted any", () => {
    const weights = new Map<string, number>();
    const queued = new Map([["alone", 5_000]]);
    const shares = new FairShares(noTies);
    while ((queued.get("alone") ?? 0) > 0) serve(shares, queued, weights, 100);
    queued.set("alone", 1_000).set("other", 1_000);
    const taken = serve(shares, queued, weights, 100);
    expect(Math.abs((taken.get("alone") ?? 0) - 50)).toBeLessThanOrEqual(1);
  });

  it("serve each of very many tenants once before any of them twice, and begin anew when told to", () => {
    const shares = new FairShares();
    const weights = new Map<string, number>();
    const queued = new Map<string, number>(Array.from({ length: 5_000 }, (_, i) => [`t${i}`, 1] as const));
    for (let i = 0; i < 20; i++) serve(shares, queued, weights, 256);
    expect([...queued.values()].every((n) => n === 0)).toBe(true);
    shares.reset();
    expect(shares.plan([{ tenantId: "t1", weight: 1 }], 2)).toEqual(["t1", "t1"]);
    expect(shares.plan([], 10)).toEqual([]);
  });
});
