export { createOutbox, type Handler, type Outbox, type OutboxEvent } from "./outbox.ts";
export { createTicker, type Ticker } from "./ticker.ts";
export { createWorkers, type DeathHook, type Workers, workerLock } from "./workers.ts";
