export { createOutbox, type Handler, type Outbox, type OutboxEvent } from "./outbox.ts";
export { createWorkers, type DeathHook, type Workers, workerLock } from "./workers.ts";
