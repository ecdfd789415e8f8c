import { describe, expect, it } from "vitest";
import { type CommitResult, type Committer, WriteSet } from "#platform/db";
import { freshState } from "./domain.ts";
import { RunWriter } from "./run-writer.ts";
import type { ClaimedRun } from "./store.ts";
import { holdRun } from "./writes.ts";

const run = { tenantId: "t", id: "r", epoch: 1 } as ClaimedRun; // a writer reads no more of it
const unit = (name: string) => ({ step: { name }, iteration: 0, state: freshState() }) as never; // likewise

/** A database that answers when the test says so: what commits hold is all that is looked at. */
function heldBack() {
  const asked: { readonly steps: string[]; answer(result: CommitResult): void }[] = [];
  const committer: Committer = {
    commit: (set) => {
      const { promise, resolve } = Promise.withResolvers<CommitResult>();
      const entries = [...set.rows].find(([write]) => write.name === "engine.insertJournal")?.[1] ?? [];
      asked.push({ steps: entries.map((e) => String(e.step)), answer: resolve });
      return promise;
    },
  };
  return { asked, committer };
}

describe("the writer of a run", () => {
  const open = () => {
    const { asked, committer } = heldBack();
    const lost: string[] = [];
    const deps = { committer, onJournal: () => {}, onLost: () => lost.push("lost"), onBroken: () => {} };
    return { asked, lost, writer: new RunWriter(deps, run, 0) };
  };
  const turn = () => new Promise(setImmediate);
  const effect = () => new WriteSet().add(holdRun, { tenant_id: "t", id: "r", epoch: 1 });

  it("[R5] says that an entry is durable only once it is, also when the commit that had it was refused", async () => {
    const { asked, writer } = open();
    writer.journal(unit("a"), { event: "completed", ms: 0 });
    const refused = writer.commitWith(effect());
    let durable: boolean | undefined;
    const flushed = writer.flush().then((ok) => {
      durable = ok;
    });
    await turn();
    asked[0]?.answer({ ok: false, fence: "actions.insertAction" });
    expect(await refused).toEqual({ ok: false, fence: "actions.insertAction" });
    await turn();
    expect([asked.length, durable]).toEqual([2, undefined]);
    expect(asked[1]?.steps).toEqual(["a"]);
    asked[1]?.answer({ ok: true });
    await flushed;
    expect(durable).toBe(true);
  });

  it("writes once for all who wait, in the order of the numbers, and what a refusal gave back first", async () => {
    const { asked, writer } = open();
    const numbers: number[] = [];
    const journal = (name: string) => {
      writer.journal(unit(name), { event: "completed", ms: 0 });
      numbers.push(writer.seq);
    };
    journal("a");
    const refused = writer.commitWith(effect());
    journal("b");
    const both = Promise.all([writer.flush(), writer.flush()]);
    await turn();
    asked[0]?.answer({ ok: false, fence: "actions.insertAction" });
    await refused;
    await turn();
    expect(asked.map((a) => a.steps)).toEqual([["a"], ["a", "b"]]);
    asked[1]?.answer({ ok: true });
    expect(await both).toEqual([true, true]);
    expect(numbers).toEqual([1, 2]);
  });
});
