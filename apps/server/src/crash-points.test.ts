/**
 * Death at every named point, while steps of every kind are in flight. No run is lost, nothing is recorded twice, no
 * effect is sent twice without its key or with another body. At each point a worker within this process, which is fast,
 * on one of the databases; at one of them a server by SIGKILL. In the long form (`npm run test:soak`) all of them on both.
 */
import { describe, expect, inject, it } from "vitest";
import type { FaultPoint } from "#platform/kernel";
import { type DriverName, drivers } from "#testing";
import { openCrashSite } from "./testing/crash-site.ts";
import { brokenInvariants } from "./testing/invariants.ts";
import { tryOut } from "./testing/trial.ts";
import { runPoints, scenarioAt, serverPoints } from "./testing/trial-points.ts";
import { openWorld } from "./testing/trial-world.ts";

const { minutes } = inject("soak");
const long = minutes !== null;
const within = (ms: number): number => performance.now() + ms;

const inProcess = runPoints.filter((p) => !serverPoints.includes(p));
const shareOf = (driver: DriverName): FaultPoint[] =>
  long ? inProcess : inProcess.filter((_, i) => i % drivers.length === drivers.indexOf(driver));

describe.each(drivers)("a worker on %s", (driver) => {
  const forMs = long ? (minutes * 60_000) / 12 : 0;

  it("that dies at any named point leaves nothing undone, and nothing done twice", {
    timeout: forMs + 120_000,
  }, async () => {
    const world = await openWorld(driver);
    const points = shareOf(driver);
    const end = within(forMs);
    try {
      for (let hit = 1; hit === 1 || performance.now() < end; hit = 1 + Math.floor(Math.random() * 4)) {
        for (const point of points) {
          const { mustDie: _, ...scenario } = scenarioAt(point, hit);
          const wrong = await tryOut(world, hit === 1 ? scenarioAt(point, hit) : scenario);
          expect(wrong, `killed at ${point}:${hit}`).toEqual([]);
        }
      }
      expect(await brokenInvariants(world.db)).toEqual({});
    } finally {
      await world.close();
    }
  });
});

describe.each(long ? drivers : (["pglite"] as const))("a server on %s", (driver) => {
  const some: readonly FaultPoint[] = long ? runPoints : ["actions.after-perform"];

  it("that is killed at a named point comes to the same end", {
    timeout: long ? 600_000 : 120_000,
  }, async () => {
    const site = await openCrashSite(driver);
    try {
      const missed: FaultPoint[] = [];
      for (const point of some) if (!(await site.killAt(point, 1))) missed.push(point);
      expect(await site.finish(), `killed at ${some.join(", ")}`).toEqual([]);
      if (driver === "pglite") expect(missed).toEqual([]); // of two servers the other one may come there first
    } finally {
      await site.close();
    }
  });
});
