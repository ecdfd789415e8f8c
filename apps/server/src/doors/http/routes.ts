import { accessRoutes } from "./access-routes.ts";
import { actionCommandRoutes } from "./action-command-routes.ts";
import { actionRoutes } from "./action-routes.ts";
import { alertRoutes } from "./alert-routes.ts";
import { approvalAdminRoutes } from "./approval-admin-routes.ts";
import { approvalRoutes } from "./approval-routes.ts";
import { approvalTalkRoutes } from "./approval-talk-routes.ts";
import { authorizationRoutes } from "./authorization-routes.ts";
import { blobRoutes } from "./blob-routes.ts";
import { complianceRoutes } from "./compliance-routes.ts";
import { connectionRoutes } from "./connection-routes.ts";
import { deliveryRoutes } from "./delivery-routes.ts";
import { egressRoutes } from "./egress-routes.ts";
import { eventRoutes } from "./event-routes.ts";
import { evidenceRoutes } from "./evidence-routes.ts";
import { factorRoutes } from "./factor-routes.ts";
import { flowRoutes } from "./flow-routes.ts";
import { gateRoutes } from "./gate-routes.ts";
import { grantRoutes } from "./grant-routes.ts";
import { keyRoutes } from "./key-routes.ts";
import { logRoutes } from "./log-routes.ts";
import { operationRoutes } from "./operation-routes.ts";
import { policyRoutes } from "./policy-routes.ts";
import { privacyRoutes } from "./privacy-routes.ts";
import { receiptRoutes } from "./receipt-routes.ts";
import { rehearsalRoutes } from "./rehearsal-routes.ts";
import { runCommandRoutes } from "./run-command-routes.ts";
import { runGlanceRoutes } from "./run-glance-routes.ts";
import { runRoutes } from "./run-routes.ts";
import { schedulingRoutes } from "./scheduling-routes.ts";
import { secretRoutes } from "./secret-routes.ts";
import type { ServiceRoute } from "./services.ts";
import { systemRoutes } from "./system-routes.ts";
import { toolRoutes } from "./tool-routes.ts";
import { trustRoutes } from "./trust-routes.ts";
import { verifierRoutes } from "./verifier-routes.ts";
import { webhookRoutes } from "./webhook-routes.ts";

/** The whole HTTP API: what is served, documented and checked. */
export const routes: readonly ServiceRoute[] = [
  ...accessRoutes,
  ...secretRoutes,
  ...connectionRoutes,
  ...authorizationRoutes,
  ...egressRoutes,
  ...toolRoutes,
  ...policyRoutes,
  ...grantRoutes,
  ...rehearsalRoutes,
  ...flowRoutes,
  ...runRoutes,
  ...runGlanceRoutes,
  ...blobRoutes,
  ...runCommandRoutes,
  ...gateRoutes,
  ...actionRoutes,
  ...actionCommandRoutes,
  ...approvalRoutes,
  ...approvalTalkRoutes,
  ...approvalAdminRoutes,
  ...factorRoutes,
  ...receiptRoutes,
  ...logRoutes,
  ...privacyRoutes,
  ...keyRoutes,
  ...trustRoutes,
  ...verifierRoutes,
  ...eventRoutes,
  ...deliveryRoutes,
  ...alertRoutes,
  ...evidenceRoutes,
  ...complianceRoutes,
  ...webhookRoutes,
  ...systemRoutes,
  ...schedulingRoutes,
  ...operationRoutes,
];
