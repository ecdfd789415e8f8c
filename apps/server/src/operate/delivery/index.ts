export type { AlertNotice, Format, Payload, Purpose, RetryRule, TargetState } from "./domain.ts";
export { type EnvSettings, type EnvTarget, readEnvTargets } from "./env-targets.ts";
export { ocsfVersion } from "./format-ocsf.ts";
export { itemOf, type Outcome } from "./lanes.ts";
export { sealedTargets } from "./sealed.ts";
export { createDelivery, type Delivery, type DeliveryDeps, type SettledListener } from "./service.ts";
export type { Claimed, DeadLetter, DeadState } from "./store.ts";
export type { QueuedTarget, Target } from "./target-store.ts";
export type { TargetInput, TestResult } from "./targets.ts";
