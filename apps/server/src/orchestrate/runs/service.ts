import type { Actions } from "#act/actions";
import { abortRun, type Engine, isEnded, type JournalEntry, readJournal } from "#orchestrate/engine";
import { type CompiledFlow, checkParams, type Flows } from "#orchestrate/flows";
import type { Caller } from "#platform/access";
import { requirePermission } from "#platform/access";
import type { Database } from "#platform/db";
import { digestOf, newId, OarsError, sha256 } from "#platform/kernel";
import { type RunEvent, toEvents } from "./events.ts";
import { type StepView, toSteps } from "./steps.ts";
import { findRun, findStarted, listRuns, type RunFilter, type StoredRun } from "./store.ts";

export interface RunsDeps {
  readonly db: Database;
  readonly flows: Flows;
  readonly engine: Engine;
  readonly actions: Pick<Actions, "cancelOf">;
  readonly whoIs: (tenantId: string, principalId: string) => Promise<Caller>;
}

export interface RunStart {
  readonly flow: string;
  readonly version?: string | undefined;
  readonly params: Record<string, unknown>;
  readonly labels?: Record<string, string> | undefined;
  readonly priority?: number | undefined;
  readonly idempotencyKey?: string | undefined;
}

/** A start by a trigger: on the authority of a principal, of a version that is resolved already. */
export interface TriggeredStart {
  readonly tenantId: string;
  readonly principalId: string;
  readonly flow: CompiledFlow;
  readonly params: Record<string, unknown>;
  readonly trigger: Record<string, unknown>;
  /** Starts with the same key are one run. */
  readonly startKey: Uint8Array | null;
}

export type RunView = Omit<StoredRun, "lastSeq">;
export type RunWithSteps = RunView & { readonly steps: readonly StepView[] };

export interface Runs {
  /** Durable once it answers. Errors: FLOW_NOT_FOUND, RUN_PARAMS_INVALID with all problems, IDEMPOTENCY_CONFLICT. */
  start(caller: Caller, start: RunStart): Promise<RunView>;
  startTriggered(start: TriggeredStart): Promise<{ runId: string; duplicate: boolean }>;
  find(caller: Caller, id: string): Promise<RunWithSteps>;
  list(caller: Caller, filter: RunFilter): Promise<RunView[]>;
  /** Errors: RUN_NOT_FOUND, RUN_ENDED. */
  abort(caller: Caller, id: string, reason: string): Promise<RunView>;
  /** Events after `afterSeq` (-1 for all), then live ones until the run has ended. */
  events(caller: Caller, id: string, afterSeq: number, signal?: AbortSignal): AsyncIterable<RunEvent>;
  eventList(caller: Caller, id: string, afterSeq: number): Promise<RunEvent[]>;
}

export function createRuns(deps: RunsDeps): Runs {
  return {
    start: (caller, start) => startRun(deps, caller, start),
    startTriggered: (start) => startTriggered(deps, start),
    find: async (caller, id) => {
      requirePermission(caller, "runs:read");
      const { run, journal } = await readRun(deps, caller.tenantId, id);
      const flow = await deps.flows.compiled(caller.tenantId, run.flowHash);
      return { ...toView(run), steps: toSteps(flow, journal, run.status) };
    },
    list: async (caller, filter) => {
      requirePermission(caller, "runs:read");
      return (await deps.db.read(caller.tenantId, (db) => listRuns(db, caller.tenantId, filter))).map(toView);
    },
    abort: (caller, id, reason) => abort(deps, caller, id, reason),
    events: (caller, id, afterSeq, signal) => streamEvents(deps, caller, id, afterSeq, signal),
    eventList: async (caller, id, afterSeq) => {
      requirePermission(caller, "runs:read");
      const { run, journal } = await readRun(deps, caller.tenantId, id, afterSeq);
      return toEvents(run, journal, afterSeq);
    },
  };
}

const toView = ({ lastSeq: _lastSeq, ...run }: StoredRun): RunView => run;

async function readRun(
  deps: RunsDeps,
  tenantId: string,
  id: string,
  afterSeq = 0,
): Promise<{ run: StoredRun; journal: JournalEntry[] }> {
  return deps.db.read(tenantId, async (db) => {
    // the run first: an end that is seen has its whole journal behind it
    const run = await findRun(db, tenantId, id);
    if (!run) throw new OarsError("RUN_NOT_FOUND");
    return { run, journal: await readJournal(db, tenantId, id, Math.max(0, afterSeq)) };
  });
}

async function startRun(deps: RunsDeps, caller: Caller, start: RunStart): Promise<RunView> {
  requirePermission(caller, "runs:start");
  const version = await deps.flows.resolve(caller.tenantId, start.flow, start.version);
  const flow = await deps.flows.compiled(caller.tenantId, version.hash);
  const params = checkedParams(flow, start.params);
  const startKey = start.idempotencyKey
    ? sha256(`api\n${caller.principalId}\n${start.idempotencyKey}`)
    : null;
  const startDigest = sha256(
    digestOf([start.flow, start.version ?? null, start.params, start.labels ?? null]),
  );
  const id = newId();
  const accepted = await deps.engine.accept(
    {
      tenant_id: caller.tenantId,
      id,
      flow_name: flow.name,
      flow_version: flow.version,
      flow_hash: flow.hash,
      principal_id: caller.principalId,
      params: JSON.stringify(params),
      trigger: null,
      labels: start.labels ? JSON.stringify(start.labels) : null,
      priority: start.priority ?? 0,
      start_key: startKey,
      start_digest: startDigest,
      timeout_ms: flow.timeoutMs,
    },
    flow,
  );
  if (accepted) return toView((await readRun(deps, caller.tenantId, id)).run);
  const first =
    startKey && (await deps.db.read(caller.tenantId, (db) => findStarted(db, caller.tenantId, startKey)));
  if (!first || Buffer.compare(first.startDigest, startDigest) !== 0)
    throw new OarsError("IDEMPOTENCY_CONFLICT");
  const { startDigest: _startDigest, ...run } = first;
  return toView(run);
}

function checkedParams(flow: CompiledFlow, given: Record<string, unknown>): Record<string, unknown> {
  const checked = checkParams(flow, given);
  if (!checked.ok) throw new OarsError("RUN_PARAMS_INVALID", {}, { errors: checked.problems });
  return checked.params;
}

async function startTriggered(
  deps: RunsDeps,
  start: TriggeredStart,
): Promise<{ runId: string; duplicate: boolean }> {
  const { flow, tenantId, startKey } = start;
  const params = checkedParams(flow, start.params);
  const id = newId();
  const accepted = await deps.engine.accept(
    {
      tenant_id: tenantId,
      id,
      flow_name: flow.name,
      flow_version: flow.version,
      flow_hash: flow.hash,
      principal_id: start.principalId,
      params: JSON.stringify(params),
      trigger: JSON.stringify(start.trigger),
      labels: null,
      priority: 0,
      start_key: startKey,
      start_digest: startKey,
      timeout_ms: flow.timeoutMs,
    },
    flow,
  );
  if (accepted) return { runId: id, duplicate: false };
  const first = startKey && (await deps.db.read(tenantId, (db) => findStarted(db, tenantId, startKey)));
  if (!first) throw new OarsError("SERVER_BUSY", { seconds: 1 });
  return { runId: first.id, duplicate: true };
}

async function abort(deps: RunsDeps, caller: Caller, id: string, reason: string): Promise<RunView> {
  requirePermission(caller, "runs:operate");
  const { tenantId } = caller;
  const found = await deps.db.read(tenantId, (db) => findRun(db, tenantId, id));
  if (!found) throw new OarsError("RUN_NOT_FOUND");
  const requester = await deps.whoIs(tenantId, found.startedBy);
  await deps.db.tx(tenantId, async (tx) => {
    const message = `Aborted by ${caller.principalName}: ${reason}`;
    const aborted = await abortRun(tx, tenantId, id, { code: "RUN_ABORTED", message });
    if (!aborted) {
      const run = await findRun(tx, tenantId, id);
      throw run ? new OarsError("RUN_ENDED", { state: run.status }) : new OarsError("RUN_NOT_FOUND");
    }
    await deps.actions.cancelOf(tx, tenantId, id, requester);
    tx.onCommit(() => deps.engine.surrender(id));
  });
  return toView((await readRun(deps, tenantId, id)).run);
}

/** Wakes on commits of this process; looks each second for those of others. */
async function* streamEvents(
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
