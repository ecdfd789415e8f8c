export type { JobRow } from "./job-store.ts";
export { createOutbox, type Handler, type Outbox, type OutboxEvent } from "./outbox.ts";
export { createPressure, type Pressure } from "./pressure.ts";
export { createScheduler, type Job, type Scheduler, type SchedulerDeps } from "./scheduler.ts";
export { createTicker, type Ticker } from "./ticker.ts";
export { createWorkers, type DeathHook, type Workers, workerLock } from "./workers.ts";
