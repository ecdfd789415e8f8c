import { describe, expect, it } from "vitest";
import { createActive } from "./active.ts";

/** A store whose answers the test releases by hand. */
function fixture(options: { tenants?: number } = {}) {
  const state = { now: 0, revision: 1, loads: 0, checks: 0, failing: false };
  let gate: Promise<void> = Promise.resolve();
  const active = createActive<string>({
    ...options,
    now: () => state.now,
    revision: async () => {
      state.checks += 1;
      await gate;
      if (state.failing) throw new Error("down");
      return state.revision;
    },
    load: async (tenantId) => {
      state.loads += 1;
      const { revision } = state;
      await gate;
      if (state.failing) throw new Error("down");
      return { revision, value: `${tenantId}@${revision}` };
    },
  });
  const hold = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    return () => {
      gate = Promise.resolve();
      resolve();
    };
  };
  return { state, active, hold };
}

describe("the active publication", () => {
  it("is read once by any number of callers at the same time", async () => {
    const { state, active } = fixture();
    const all = await Promise.all(Array.from({ length: 50 }, () => active.get("t")));
    expect(new Set(all)).toEqual(new Set(["t@1"]));
    expect(state).toMatchObject({ loads: 1, checks: 0 });
  });

  it("is checked at most once a second, and loaded only when it changed", async () => {
    const { state, active } = fixture();
    await active.get("t");
    state.now = 999;
    await active.get("t");
    expect(state).toMatchObject({ loads: 1, checks: 0 });
    state.now = 1_000;
    await Promise.all([active.get("t"), active.get("t")]);
    expect(state).toMatchObject({ loads: 1, checks: 1 });
    state.revision = 2;
    expect(await active.get("t")).toBe("t@1");
    state.now = 2_000;
    expect(await active.get("t")).toBe("t@2");
    expect(state).toMatchObject({ loads: 2, checks: 2 });
  });

  it("never keeps what was read before it was forgotten", async () => {
    const { state, active, hold } = fixture();
    const release = hold();
    const early = active.get("t");
    state.revision = 2;
    active.forget("t");
    const late = active.get("t");
    release();
    expect(await early).toBe("t@1");
    expect(await late).toBe("t@2");
    expect(await active.get("t")).toBe("t@2");
  });

  it("reads again after a failure, and after the clock was set back", async () => {
    const { state, active } = fixture();
    state.failing = true;
    await expect(active.get("t")).rejects.toThrow("down");
    state.failing = false;
    expect(await active.get("t")).toBe("t@1");
    state.now = -5_000;
    state.revision = 2;
    expect(await active.get("t")).toBe("t@2");
  });

  it("is held for a bounded number of tenants", async () => {
    const { state, active } = fixture({ tenants: 2 });
    for (const tenant of ["a", "b", "c", "c", "b"]) await active.get(tenant);
    expect(state.loads).toBe(3);
    await active.get("a");
    expect(state.loads).toBe(4);
  });
});
