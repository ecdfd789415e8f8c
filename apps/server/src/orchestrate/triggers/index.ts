export {
  createTriggers,
  type Delivery,
  registerWebhooks,
  type Triggers,
  type TriggersDeps,
} from "./service.ts";
export { sign } from "./signature.ts";
export type { Webhook } from "./store.ts";
