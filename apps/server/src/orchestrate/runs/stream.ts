import { isEnded } from "#orchestrate/engine";
import { type Caller, requirePermission } from "#platform/access";
import type { RunsDeps } from "./deps.ts";
import { type RunEvent, toEvents } from "./events.ts";
import { readEntries } from "./journal-store.ts";
import { requireRun } from "./read.ts";

/** Entries that are in memory at once. */
const pageSize = 500;

/** The next events, at most a page of them; `whole` when there were no more. */
async function nextEvents(
  deps: RunsDeps,
  tenantId: string,
  id: string,
  after: number,
): Promise<{ events: RunEvent[]; whole: boolean; ended: boolean }> {
  const { run, journal } = await deps.db.read(tenantId, async (db) => ({
    // the run first: an end that is seen has its whole journal behind it
    run: await requireRun(db, tenantId, id),
    journal: await readEntries(db, tenantId, id, { after: Math.max(0, after), limit: pageSize }),
  }));
  const whole = journal.length < pageSize;
  const events = toEvents(run, journal, after);
  const ended = isEnded(run.status);
  if (whole || !ended) return { events, whole, ended };
  return { events: events.filter((e) => e.seq <= (journal.at(-1)?.seq ?? 0)), whole, ended }; // its end comes last
}

export async function listEvents(
  deps: RunsDeps,
  caller: Caller,
  id: string,
  afterSeq: number,
): Promise<RunEvent[]> {
  requirePermission(caller, "runs:read");
  const events: RunEvent[] = [];
  for (let after = afterSeq; ; after = events.at(-1)?.seq ?? after) {
    const next = await nextEvents(deps, caller.tenantId, id, after);
    events.push(...next.events);
    if (next.whole) return events;
  }
}

/** Wakes on commits of this process; looks each second for those of others. */
export async function* streamEvents(
  deps: RunsDeps,
  caller: Caller,
  id: string,
  afterSeq: number,
  signal?: AbortSignal,
): AsyncGenerator<RunEvent> {
  requirePermission(caller, "runs:read");
  let after = afterSeq;
  let changed = (): void => {};
  const unwatch = deps.engine.watch(id, () => changed());
  try {
    for (;;) {
      const news = new Promise<void>((resolve) => {
        changed = resolve;
      });
      const { events, whole, ended } = await nextEvents(deps, caller.tenantId, id, after);
      for (const event of events) {
        yield event;
        after = event.seq;
      }
      if ((ended && whole) || signal?.aborted) return;
      if (whole) await Promise.race([news, pause(1000, signal)]);
    }
  } finally {
    unwatch();
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
