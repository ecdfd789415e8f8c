import { afterEach, describe, expect, it } from "vitest";
import { type BundleThread, createBundleThread } from "./bundle-thread.ts";
import { manyPolicies, sampleFacts, sampleRequest } from "./samples.ts";

describe("the thread for bundles", () => {
  let thread: BundleThread;
  afterEach(() => thread.close());
  const source = { cedar: manyPolicies(400) };
  const subject = { source, facts: sampleFacts, grants: [] };

  it("checks and judges while this thread goes on, and again after it was ended", async () => {
    thread = createBundleThread();
    let turns = 0;
    const beat = setInterval(() => turns++, 5);
    const found = await thread.run("examine", [source, sampleFacts]);
    clearInterval(beat);
    expect(found).toMatchObject({ invalid: [], failed: [], bundle: { policies: { length: 400 } } });
    expect(turns).toBeGreaterThan(3);
    await thread.close();
    const read = sampleRequest({ tool: { name: "c0/http.request", verb: "read" } });
    const verdicts = await thread.run("judge", [subject, [read, sampleRequest()]]);
    expect(verdicts.map(({ effect }) => effect)).toEqual(["allow", "deny"]);
  });

  it("tells what is wrong with a bundle as this thread would", async () => {
    thread = createBundleThread();
    const wrong = { ...subject, source: { cedar: '@id("a") permit (principal, action, thing);' } };
    await expect(thread.run("judge", [wrong, []])).rejects.toMatchObject({
      code: "POLICY_INVALID",
      errors: [{ path: "cedar", line: 1 }],
    });
  });

  it("gives up a call that takes too long, and begins anew for the next", async () => {
    thread = createBundleThread({ callMs: 1 });
    await expect(thread.run("examine", [source, sampleFacts])).rejects.toMatchObject({
      code: "POLICY_INVALID",
      errors: [{ code: "POLICY_TIME" }],
    });
    await thread.close();
    thread = createBundleThread();
    expect((await thread.run("examine", [{ cedar: "" }, []])).invalid).toMatchObject([
      { code: "POLICY_EMPTY" },
    ]);
  });
});
