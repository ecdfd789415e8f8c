export type { Delivery } from "./delivery.ts";
export { createTriggers, type Triggers, type TriggersDeps } from "./service.ts";
export { sign } from "./signature.ts";
export type { Webhook } from "./store.ts";
