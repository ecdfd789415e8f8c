/** What a new run takes over from the run that it repeats. */
import type { WriteSet } from "#platform/db";
import type { Operator, StepError } from "./domain.ts";
import { insertJournal } from "./writes.ts";

/** The end of a step in the other run, or of an item of it, that need not come again. */
export interface SeedEntry {
  readonly step: string;
  /** 0 is the step itself; items count from 1 and stand before it. */
  readonly iteration: number;
  readonly event: "completed" | "failed" | "skipped";
  readonly output: unknown;
  readonly error: StepError | null;
  /** An operator skipped it there: its dependents read what was given in its place. */
  readonly given: boolean;
}

/** Adds the entries as the first of the new run's journal. They go with `Engine.accept`, as `along`. */
export function addSeed(
  into: WriteSet,
  run: { readonly tenantId: string; readonly id: string },
  operator: Operator,
  entries: readonly SeedEntry[],
): void {
  const at = Date.now() / 1000;
  const text = JSON.stringify(operator);
  for (const [i, e] of entries.entries()) {
    into.add(insertJournal, {
      tenant_id: run.tenantId,
      run_id: run.id,
      epoch: 0, // of a run that nobody has claimed
      step: e.step,
      iteration: e.iteration,
      attempt: 1,
      event: e.event,
      seq: i + 1,
      output: e.output === null ? null : JSON.stringify(e.output),
      error: e.error ? JSON.stringify(e.error) : null,
      operator: e.event === "skipped" && !e.given ? null : text, // what a condition skipped gives nothing here either
      at,
      ms: 0,
    });
  }
}
