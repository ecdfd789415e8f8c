/**
 * A run's history as numbered events: 0 is its creation, the journal's entries keep their numbers, and its
 * end follows the last of them. A reader that names the last number it saw misses and repeats nothing: one
 * owner writes a run's journal in order, so a number that is visible has all smaller ones before it.
 * An end that people went on from is an entry of the journal with the number that it had.
 */
import { isEnded, type JournalEntry } from "#orchestrate/engine";
import { formatId } from "#platform/kernel";
import type { StoredRun } from "./store.ts";

export interface RunEvent {
  readonly seq: number;
  readonly type: string;
  readonly at: Date;
  readonly data: Record<string, unknown>;
  /** The run has ended with it; absent from an end that people went on from. */
  readonly end?: true;
}

export function toEvents(run: StoredRun, journal: readonly JournalEntry[], after: number): RunEvent[] {
  const events: RunEvent[] = [];
  if (after < 0) events.push(ofBeginning(run));
  const ended = isEnded(run.status);
  const end = run.lastSeq + 1;
  const own = journal.findLast((e) => e.seq === end && e.step === "");
  for (const entry of journal)
    if (entry.seq > after && (!ended || entry.seq < end)) events.push(ofEntry(entry)); // a reopening may have come since
  if (ended && after < end) {
    const data = { ...(run.error ? { error: run.error } : {}), ...byWhom(own) };
    events.push({ seq: end, type: `run.${run.status}`, at: run.endedAt ?? run.createdAt, data, end: true });
  }
  return events;
}

function ofBeginning(run: StoredRun): RunEvent {
  const { flow, version, flowHash, originRunId, parentRunId } = run;
  const data = {
    flow,
    version,
    flowHash,
    ...(originRunId ? { origin: formatId("run", originRunId) } : {}),
    ...(parentRunId ? { parent: formatId("run", parentRunId) } : {}),
  };
  return { seq: 0, type: "run.created", at: run.createdAt, data };
}

function ofEntry(e: JournalEntry): RunEvent {
  const of = e.step === "" ? "run" : "step";
  return {
    seq: e.seq,
    type: `${of}.${e.event}`,
    at: e.at,
    data: {
      ...(e.step === "" ? {} : { step: e.step, attempt: e.attempt, ms: e.ms }),
      ...(e.iteration === 0 ? {} : { item: e.iteration - 1 }),
      ...(e.output === null ? {} : { output: e.output }),
      ...(e.error ? { error: e.error } : {}),
      ...byWhom(e),
    },
  };
}

function byWhom(entry: JournalEntry | undefined): { operator?: Record<string, unknown> } {
  if (!entry?.operator) return {};
  const { command, principalId, reason, fromRunId } = entry.operator;
  return {
    operator: {
      command,
      ...(principalId ? { principalId: formatId("principal", principalId) } : {}),
      ...(reason ? { reason } : {}),
      ...(fromRunId ? { fromRunId: formatId("run", fromRunId) } : {}),
    },
  };
}
