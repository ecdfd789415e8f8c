import { accessRoutes } from "./access-routes.ts";
import { actionRoutes, approvalRoutes } from "./action-routes.ts";
import { blobRoutes } from "./blob-routes.ts";
import { connectionRoutes } from "./connection-routes.ts";
import { eventRoutes } from "./event-routes.ts";
import { flowRoutes } from "./flow-routes.ts";
import { gateRoutes } from "./gate-routes.ts";
import { logRoutes } from "./log-routes.ts";
import { operationRoutes } from "./operation-routes.ts";
import { policyRoutes } from "./policy-routes.ts";
import { privacyRoutes } from "./privacy-routes.ts";
import { receiptRoutes } from "./receipt-routes.ts";
import { runCommandRoutes } from "./run-command-routes.ts";
import { runGlanceRoutes } from "./run-glance-routes.ts";
import { runRoutes } from "./run-routes.ts";
import { schedulingRoutes } from "./scheduling-routes.ts";
import type { ServiceRoute } from "./services.ts";
import { systemRoutes } from "./system-routes.ts";
import { toolRoutes } from "./tool-routes.ts";
import { trustRoutes } from "./trust-routes.ts";
import { webhookRoutes } from "./webhook-routes.ts";

/** The whole HTTP API: what is served, documented and checked. */
export const routes: readonly ServiceRoute[] = [
  ...accessRoutes,
  ...connectionRoutes,
  ...toolRoutes,
  ...policyRoutes,
  ...flowRoutes,
  ...runRoutes,
  ...runGlanceRoutes,
  ...blobRoutes,
  ...runCommandRoutes,
  ...gateRoutes,
  ...actionRoutes,
  ...approvalRoutes,
  ...receiptRoutes,
  ...logRoutes,
  ...privacyRoutes,
  ...trustRoutes,
  ...eventRoutes,
  ...webhookRoutes,
  ...systemRoutes,
  ...schedulingRoutes,
  ...operationRoutes,
];
