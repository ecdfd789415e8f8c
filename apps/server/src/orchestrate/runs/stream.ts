import { isEnded } from "#orchestrate/engine";
import { type Caller, requirePermission } from "#platform/access";
import type { RunsDeps } from "./deps.ts";
import { type RunEvent, toEvents } from "./events.ts";
import { readRun } from "./read.ts";

export async function listEvents(
  deps: RunsDeps,
  caller: Caller,
  id: string,
  afterSeq: number,
): Promise<RunEvent[]> {
  requirePermission(caller, "runs:read");
  const { run, journal } = await readRun(deps, caller.tenantId, id, afterSeq);
  return toEvents(run, journal, afterSeq);
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
      const { run, journal } = await readRun(deps, caller.tenantId, id, after);
      for (const event of toEvents(run, journal, after)) {
        yield event;
        after = event.seq;
      }
      if (isEnded(run.status) || signal?.aborted) return;
      await Promise.race([news, pause(1000, signal)]);
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
