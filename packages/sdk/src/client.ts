import { createMe, createPrincipals } from "./access.ts";
import { createActions } from "./actions.ts";
import { createAlerts } from "./alerts.ts";
import { createApprovalWorkflows, createDelegations } from "./approval-workflows.ts";
import { createApprovals } from "./approvals.ts";
import { createCompliance } from "./compliance.ts";
import { createConnections, createSecrets } from "./connections.ts";
import { createDelivery } from "./delivery.ts";
import { createEvidence } from "./evidence.ts";
import { createFactors } from "./factors.ts";
import { createFlows } from "./flows.ts";
import { createGates } from "./gates.ts";
import { createHealth } from "./health.ts";
import { createKeys } from "./keys.ts";
import { createLog } from "./log.ts";
import { createPolicies } from "./policies.ts";
import { createPrivacy } from "./privacy.ts";
import { createReceipts } from "./receipts.ts";
import { createRuns } from "./runs.ts";
import { createScheduling } from "./scheduling.ts";
import { createSecurityEvents } from "./security-events.ts";
import { createSystem } from "./system.ts";
import { createTools } from "./tools.ts";
import { createTransport, type TransportConfig } from "./transport.ts";
import { createTrust } from "./trust.ts";
import { createWebhooks } from "./webhooks.ts";

export interface ClientOptions {
  /** Where the server is, for example `https://oars.example`; a path prefix is kept. */
  readonly baseUrl: string;
  /** An API key. Without it and `token`, only what needs no credential can be called. */
  readonly apiKey?: string | undefined;
  /** A session token, or a function that gives the current one; it is asked before every attempt. */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** For credentials that belong to several tenants. */
  readonly tenantId?: string | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** For one attempt; 30,000 when absent. */
  readonly timeoutMs?: number | undefined;
  /** How often a call that is safe to repeat is repeated; 4 when absent. */
  readonly retries?: number | undefined;
  /** Longest Retry-After that is waited for; 30,000 when absent. Beyond it the call rejects at once. */
  readonly maxRetryWaitMs?: number | undefined;
}

/** A client of one server. It holds no connection and needs no closing. Throws TypeError for options that contradict. */
export function createClient(options: ClientOptions) {
  const transport = createTransport(configOf(options));
  return {
    me: createMe(transport),
    principals: createPrincipals(transport),
    secrets: createSecrets(transport),
    connections: createConnections(transport),
    tools: createTools(transport),
    policies: createPolicies(transport),
    flows: createFlows(transport),
    runs: createRuns(transport),
    gates: createGates(transport),
    actions: createActions(transport),
    approvals: createApprovals(transport),
    approvalWorkflows: createApprovalWorkflows(transport),
    delegations: createDelegations(transport),
    factors: createFactors(transport),
    receipts: createReceipts(transport),
    privacy: createPrivacy(transport),
    trust: createTrust(transport),
    log: createLog(transport),
    evidence: createEvidence(transport),
    compliance: createCompliance(transport),
    keys: createKeys(transport),
    securityEvents: createSecurityEvents(transport),
    delivery: createDelivery(transport),
    alerts: createAlerts(transport),
    webhooks: createWebhooks(transport),
    health: createHealth(transport),
    system: createSystem(transport),
    scheduling: createScheduling(transport),
  };
}

export type OarsClient = ReturnType<typeof createClient>;

function configOf(options: ClientOptions): TransportConfig {
  const { apiKey, token } = options;
  if (apiKey !== undefined && token !== undefined) throw new TypeError("give either apiKey or token");
  return {
    baseUrl: baseUrlOf(options.baseUrl),
    credential: typeof token === "function" ? token : () => apiKey ?? token,
    tenantId: options.tenantId,
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    timeoutMs: options.timeoutMs ?? 30_000,
    retries: options.retries ?? 4,
    maxRetryWaitMs: options.maxRetryWaitMs ?? 30_000,
  };
}

function baseUrlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(`baseUrl must be an http(s) address, not ${JSON.stringify(text)}`);
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new TypeError("baseUrl must have no credentials, query or fragment");
  }
  return url.href.replace(/\/+$/, "");
}
