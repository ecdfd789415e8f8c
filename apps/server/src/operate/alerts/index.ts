export type { AlertRoute, AlertRule, AlertSeverity, AlertState } from "./domain.ts";
export { type AlertDetail, type Alerts, type AlertsDeps, builtInCodes, createAlerts } from "./service.ts";
export type { Alert, AlertFilter } from "./store.ts";
