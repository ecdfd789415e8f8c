/** The only file that sees every room: builds each once, in the order of the arrows, and wires them. */
import { type Actions, createActions } from "#act/actions";
import { type Catalogue, createCatalogue } from "#act/catalogue";
import { type Connectors, createConnectors, createEgressRules, type EgressRules } from "#act/connectors";
import type { Policy } from "#act/policy";
import type { Rehearsals } from "#act/rehearsals";
import { createPrivacy, type Privacy } from "#operate/privacy";
import {
  builtInKinds,
  createEngine,
  createInvariantSweep,
  createScheduling,
  createStepKinds,
  type Engine,
  type Scheduling,
  type StepKind,
} from "#orchestrate/engine";
import { compileFlow, createFlows, type Flows, signPublication } from "#orchestrate/flows";
import { createRuns, type Runs } from "#orchestrate/runs";
import { transforms } from "#orchestrate/transforms";
import { createTriggers, type Triggers } from "#orchestrate/triggers";
import {
  type Access,
  createAccess,
  createEffectFence,
  createIdempotency,
  type Idempotency,
} from "#platform/access";
import { type Blobs, createBlobs } from "#platform/blobs";
import type { Config, Keys } from "#platform/config";
import { type Database, openDatabase } from "#platform/db";
import { createSecurityEvents, type SecurityEvents } from "#platform/events";
import {
  createOutbox,
  createPressure,
  createScheduler,
  createTicker,
  createWorkers,
  type Outbox,
  type Pressure,
  type Scheduler,
  workerLock,
} from "#platform/jobs";
import { type Fault, formatId, newId, systemClock } from "#platform/kernel";
import { createDialer, type Dialer } from "#platform/net";
import type { Telemetry } from "#platform/telemetry";
import type { Vault } from "#platform/vault";
import { type ApprovalWing, composeApprovals } from "./compose-approvals.ts";
import { installationJobs, processWork } from "./compose-background.ts";
import { composeOperate, type Operate } from "./compose-operate.ts";
import { composePolicy, composeRehearsals } from "./compose-policy.ts";
import { composeSign, type SignRooms } from "./compose-sign.ts";
import { openVault } from "./compose-vault.ts";
import { retire } from "./retention.ts";

export interface Rooms extends SignRooms, ApprovalWing, Operate {
  readonly db: Database;
  readonly vault: Vault;
  readonly access: Access;
  readonly idempotency: Idempotency;
  readonly privacy: Privacy;
  readonly policy: Policy;
  readonly rehearsals: Rehearsals;
  readonly connectors: Connectors;
  readonly egress: EgressRules;
  readonly catalogue: Catalogue;
  readonly actions: Actions;
  readonly flows: Flows;
  readonly engine: Engine;
  readonly runs: Runs;
  readonly triggers: Triggers;
  readonly outbox: Outbox;
  readonly scheduler: Scheduler;
  readonly scheduling: Scheduling;
  readonly blobs: Blobs;
  readonly events: SecurityEvents;
  readonly dialer: Dialer;
  readonly pressure: Pressure;
}

export interface App extends Rooms {
  /**
   * Begins background work: claims, timers, outbox, sequencing, jobs. Without `worker` only what a process does that
   * takes requests: it shows that it lives and sequences its own receipts. Other processes do the rest.
   */
  start(how?: { readonly worker: boolean }): Promise<void>;
  /** Begins nothing more of its own: what is under way goes on, new runs are left to other processes. */
  quiesce(): Promise<void>;
  /** Hands back what is under way and closes the database. */
  stop(): Promise<void>;
}

export interface ComposeOptions {
  readonly config: Config;
  readonly keys: Keys;
  readonly telemetry: Telemetry;
  /** An open database in place of the configured one; whoever opened it closes it. */
  readonly db?: Database;
  /** Id of this process among the workers, for an open database that is fenced with its lock; else a new one. */
  readonly workerId?: string;
  /** Called at named fault points; kills the process in tests. */
  readonly fault?: Fault;
  /** This process was declared dead by another one and must end. */
  readonly onFenced?: () => void;
}

export async function compose(options: ComposeOptions): Promise<App> {
  const { config, keys, telemetry } = options;
  const { log, metrics } = telemetry;
  const workerId = options.workerId ?? newId();
  const onError = (error: unknown, what: string): void => log.error({ err: error }, what);
  const fault: Fault = options.fault ?? (() => {});
  const store =
    options.db ?? (await openStore(options, workerId, (error) => onError(error, "database connection")));
  const fence = createEffectFence();
  const db = fence.wrap(store);
  const clock = systemClock;
  const blobs = createBlobs({ db });
  const events = createSecurityEvents({ db, onError });
  const sealing = await openVault(db, config, keys, (error) => onError(error, "keys of the vault"));
  const { vault } = sealing;
  const access = createAccess({ db, jwtSecret: keys.jwt.reveal(), clock, events });
  const idempotency = createIdempotency({ db: store, vault, fence });
  const outbox = createOutbox({
    db,
    workerId,
    fault,
    onError: (error, event) => onError(error, `event ${event.topic}`),
  });
  const dialer = createDialer({
    allow: config.egressAllow,
    maxResponseBytes: 10 * 1024 * 1024,
    connectTimeoutMs: 5_000,
    egress: config.egressHosts,
    tenantRules: (tenantId) => egress.of(tenantId),
  });
  const sign = composeSign({ db, vault, config, clock, dialer, events, outbox, telemetry });
  const { receipts } = sign;

  const egress = createEgressRules({ db, receipts });
  const connectors: Connectors = createConnectors({
    db,
    vault,
    dialer,
    receipts,
    events,
    origin: config.http.publicUrl,
    fault,
    breaker: config.breaker,
    usedBy: (tenantId, name) => flows.usersOf(tenantId, name),
    onPut: (tx, caller, now, before) => catalogue.onPut(tx, caller, now, before),
  });
  const catalogue = createCatalogue({ db, connectors, receipts, events, allowed: config.allowedTools });
  const policy: Policy = composePolicy({
    ...{ db, receipts, events, clock, connectors, catalogue, access },
    mayPublish: (tenantId, policyId) => rehearsals.mayPublish(tenantId, policyId),
  });
  const approvalWing = composeApprovals({
    db,
    vault,
    receipts,
    outbox,
    events,
    clock,
    catalogue,
    publicUrl: config.http.publicUrl,
    secret: keys.dataEncryption.reveal(),
    loadAction: (tenantId, id) => actions.load(tenantId, id),
  });
  const { approvals } = approvalWing;
  const actions = createActions({
    db,
    clock,
    vault,
    dialer,
    connectors,
    catalogue,
    policy,
    approvals,
    receipts,
    events,
    workerId,
    fault,
    outbox,
    callerFor: access.callerFor,
    whoIs: access.whoIs,
    onError,
    onState: (tool, state) => metrics.actions.with(tool, state).inc(),
    principalNamed: access.principalNamed,
    maxWaiting: config.limits.maxSyncAnswers,
    maxOutputBytes: config.limits.maxOutputBytes,
  });

  const privacy = createPrivacy({ db, vault, receipts, actions });
  const rehearsals = composeRehearsals({
    ...{ db, vault, policy, receipts, clock, connectors, catalogue, access, onError },
    replayRequired: config.policyReplayRequired,
  });

  const kinds = createStepKinds(stepKinds(connectors));
  const flows = createFlows({
    db,
    kinds,
    defaultParallel: config.limits.defaultMaxParallel,
    onPublish: async (tx, caller, version) => {
      await signPublication(receipts, tx, caller, version);
      await triggers.register(tx, caller, version, compileFlow(version.definition, kinds));
    },
  });
  const pressure = createPressure({
    limitShare: config.limits.memoryShare,
    onChange: (high, share) => {
      metrics.strained.set(high ? 1 : 0);
      const percent = Math.round(share * 100);
      if (high) log.warn({ percent }, "memory is short: no further runs are taken on");
      else log.info({ percent }, "memory is free again: runs are taken on");
    },
  });
  const engine = createEngine({
    db,
    blobs,
    workerId,
    flows,
    kinds,
    actions,
    outbox,
    receipts,
    signedRuns: config.signedRuns,
    callerFor: access.callerFor,
    whoIs: access.whoIs,
    fault,
    maxConcurrency: config.limits.maxConcurrency,
    maxRunning: config.limits.maxRunning,
    strained: pressure.high,
    onClaim: (ms) => metrics.claimDuration.observe(ms / 1000),
    onStep: (kind, status, ms) => metrics.stepDuration.with(kind, status).observe(ms / 1000),
    onRun: (flow, status, ms) => {
      metrics.runs.with(flow, status).inc();
      metrics.runDuration.with(flow, status).observe(ms / 1000);
    },
    onTakeover: (from, count) =>
      log.info(
        { worker: formatId("worker", from), runs: count },
        "runs of a worker that is gone are queued again",
      ),
    onQueueWait: (kind, ms) => metrics.stepQueue.with(kind).observe(ms / 1000),
    onError,
  });
  const operate = composeOperate({
    config,
    db,
    vault,
    dialer,
    events,
    metrics,
    workerId,
    ...approvalWing,
    onError,
  });
  const scheduling = createScheduling({
    db,
    assertTenant: (caller, tenantId) => access.findTenant({ ...caller, tenantId }),
    onChanged: engine.wake,
  });
  const runs = createRuns({
    db,
    blobs,
    flows,
    engine,
    actions,
    receipts,
    outbox,
    maxAnswers: config.limits.maxSyncAnswers,
    onAborted: (flow) => metrics.runs.with(flow, "aborted").inc(),
    whoIs: access.whoIs,
    fault,
  });
  const triggers: Triggers = createTriggers({ db, clock, vault, flows, runs, fault });

  const workers = createWorkers({
    id: workerId,
    db,
    exclusive: config.store.kind === "pglite",
    onError: (error) => onError(error, "worker heartbeat"),
    onFenced: options.onFenced ?? (() => {}),
    beatMs: Math.ceil(config.workerDeadAfterMs / 3),
    deadAfterMs: config.workerDeadAfterMs,
  });
  workers.onDeath(outbox.onDeath);
  workers.onDeath(actions.onDeath);
  workers.onDeath(engine.onDeath);
  workers.onDeath(operate.delivery.onDeath);
  const rooms = {
    db,
    vault,
    connectors,
    ...approvalWing,
    idempotency,
    outbox,
    receipts,
    engine,
    actions,
    rehearsals,
    pressure,
  };
  const sweepInvariants = createInvariantSweep({
    db,
    outbox,
    onViolation: ({ invariant, tenantId, runId }, first) => {
      metrics.invariantViolations.with(invariant).inc();
      const ids = { tenantId: formatId("tenant", tenantId), runId: formatId("run", runId) };
      if (!first) return;
      log.warn({ invariant, ...ids }, "a run was in a state that should not be");
      const target = { kind: "run", id: ids.runId };
      events.count({ tenantId, type: "run.invariant_violated", target, details: { invariant } });
    },
    onWoken: engine.wake,
    onError,
  });
  const scheduler = createScheduler({
    db,
    workerId,
    jobs: [
      ...installationJobs({
        ...rooms,
        sweepInvariants,
        privacy,
        retire: () => retire({ db, keep: config.retention, log }),
      }),
      ...sign.jobs,
      ...operate.jobs,
    ],
    onError,
    onRun: (job, failed) => metrics.jobs.with(job, failed ? "failed" : "completed").inc(),
  });
  workers.onDeath(scheduler.onDeath);
  const background = [...processWork(rooms, metrics), ...operate.work].map(({ name, ...work }) =>
    createTicker({ ...work, onError: (error) => onError(error, name) }),
  );

  return {
    db,
    vault,
    access,
    idempotency,
    receipts,
    log: sign.log,
    evidence: sign.evidence,
    interop: sign.interop,
    privacy,
    logFiles: sign.logFiles,
    signingKeys: sign.signingKeys,
    witnessing: sign.witnessing,
    policy,
    rehearsals,
    ...approvalWing,
    connectors,
    egress,
    catalogue,
    actions,
    flows,
    engine,
    runs,
    triggers,
    outbox,
    scheduler,
    scheduling,
    blobs,
    events,
    alerts: operate.alerts,
    delivery: operate.delivery,
    dialer,
    pressure,
    start: async ({ worker } = { worker: true }) => {
      await workers.start();
      await sign.start();
      await triggers.start();
      await engine.start({ worker });
      if (!worker) return;
      await outbox.start();
      await events.start();
      await operate.delivery.start();
      await scheduler.start();
      for (const ticker of background) ticker.start();
    },
    quiesce: engine.quiesce,
    stop: async () => {
      await engine.quiesce();
      await Promise.all([scheduler.stop(), ...background.map((ticker) => ticker.stop())]);
      await events.stop();
      await operate.delivery.stop();
      await sign.evidence.stop();
      await outbox.stop(); // first: a process that stops takes nothing over, least of all from itself
      await Promise.all([engine.stop(config.shutdownTimeoutMs), actions.stop(config.shutdownTimeoutMs)]);
      await triggers.stop();
      await rehearsals.stop();
      await policy.close();
      await workers.stop();
      await sign.stop();
      await access.close();
      await events.close();
      await vault.flushUses();
      await sealing.close();
      await dialer.close();
      if (!options.db) await db.close();
    },
  };
}

function openStore(
  options: ComposeOptions,
  workerId: string,
  onError: (error: Error) => void,
): Promise<Database> {
  const { store } = options.config;
  const { metrics } = options.telemetry;
  return openDatabase({
    store: store.kind === "pglite" ? store : { ...store, url: store.url.reveal() },
    fenceKey: workerLock(workerId),
    observer: {
      batch: (sets, ms) => {
        metrics.commitBatch.observe(sets);
        metrics.commitDuration.observe(ms / 1000);
      },
      refused: () => metrics.commitRefused.inc(),
    },
    onError,
  });
}

/** Every kind that a flow may use: what the engine brings, the transforms, and each connector's operations. */
function stepKinds(connectors: Pick<Connectors, "operations">): StepKind[] {
  return [
    ...builtInKinds,
    ...transforms.map((t) => ({ ...t, pure: true, mode: "transform" as const })),
    ...connectors.operations.map((o) => ({
      name: o.name,
      version: 1,
      pure: false,
      config: o.input,
      mode: "effect" as const,
      operation: o.name,
    })),
  ];
}
