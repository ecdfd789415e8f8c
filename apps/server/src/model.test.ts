/**
 * Random flows under random misfortunes, against what they must come to by their plans alone. A failure tells the
 * seed and the path; `npm run test:soak -- --seed … --path …` runs that trial again.
 */
import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import { tryOut } from "./testing/trial.ts";
import { scenario } from "./testing/trial-arbitrary.ts";
import { openWorld } from "./testing/trial-world.ts";

const { minutes, seed, path } = inject("soak");
/** Each database has its share of the time. */
const forMs = minutes === null ? 12_000 : (minutes * 60_000) / 6;

describe.each(drivers)("random flows on %s", (driver) => {
  const mostMs = forMs + 60_000;

  it("[R1] [R3] [R4] [R7] [R8] [R10] [R11] come to what their plans say, whatever dies, is robbed, is late, is told twice or is ordered meanwhile", {
    timeout: mostMs,
  }, async () => {
    const world = await openWorld(driver);
    let last: Promise<unknown> = Promise.resolve();
    try {
      const property = fc.asyncProperty(scenario, async (drawn) => {
        const trial = tryOut(world, drawn);
        last = trial.catch(() => undefined); // its failure is told of by the next line
        expect(await trial).toEqual([]);
        expect(await brokenInvariants(world.db)).toEqual({});
      });
      await fc.assert(property, {
        numRuns: path === null ? 100_000 : 1,
        interruptAfterTimeLimit: forMs,
        endOnFailure: true,
        ...(seed === null ? {} : { seed }),
        ...(path === null ? {} : { path }),
      });
    } finally {
      await last; // the end of the time interrupts a trial without waiting for it
      await world.close();
    }
  });
});
