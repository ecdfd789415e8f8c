/**
 * A run's history as numbered events: 0 is its creation, the journal's entries keep their numbers, and its
 * end follows the last of them. A reader that names the last number it saw misses and repeats nothing: one
 * owner writes a run's journal in order, so a number that is visible has all smaller ones before it.
 */
import { isEnded, type JournalEntry } from "#orchestrate/engine";
import type { StoredRun } from "./store.ts";

export interface RunEvent {
  readonly seq: number;
  readonly type: string;
  readonly at: Date;
  readonly data: Record<string, unknown>;
}

export function toEvents(run: StoredRun, journal: readonly JournalEntry[], after: number): RunEvent[] {
  const events: RunEvent[] = [];
  if (after < 0) {
    const data = { flow: run.flow, version: run.version, flowHash: run.flowHash };
    events.push({ seq: 0, type: "run.created", at: run.createdAt, data });
  }
  for (const entry of journal) if (entry.seq > after) events.push(ofEntry(entry));
  const end = run.lastSeq + 1;
  if (isEnded(run.status) && after < end) {
    const data = run.error ? { error: run.error } : {};
    events.push({ seq: end, type: `run.${run.status}`, at: run.endedAt ?? run.createdAt, data });
  }
  return events;
}

const ofEntry = (e: JournalEntry): RunEvent => ({
  seq: e.seq,
  type: `step.${e.event}`,
  at: e.at,
  data: {
    step: e.step,
    attempt: e.attempt,
    ms: e.ms,
    ...(e.output === null ? {} : { output: e.output }),
    ...(e.error ? { error: e.error } : {}),
  },
});
