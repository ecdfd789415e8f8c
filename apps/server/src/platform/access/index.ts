import type { Database } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import type { Clock } from "#platform/kernel";
import { type Authenticator, createAuthenticator } from "./authenticate.ts";
import { keyUseCases } from "./keys.ts";
import { principalUseCases } from "./principals.ts";
import type { AccessService, ServiceDeps } from "./service.ts";
import { createSessions } from "./sessions.ts";
import { tenantUseCases } from "./tenants.ts";

export {
  type ApiKeyInfo,
  type Caller,
  type Principal,
  type PrincipalKind,
  type PrincipalStatus,
  requirePermission,
  type Tenant,
} from "./domain.ts";
export { createEffectFence, type EffectFence } from "./effect-fence.ts";
export {
  type Answer,
  createIdempotency,
  fingerprintOf,
  type Idempotency,
  type Reservation,
  type Reserved,
} from "./idempotency.ts";
export {
  type Permission,
  permissionNames,
  permissions,
  permissionsOf,
  type Role,
  roleNames,
} from "./permissions.ts";
export type { IssuedApiKey, NewPrincipal, NewTenant, PageOf, PageRequest } from "./service.ts";
export type { IssuedToken } from "./sessions.ts";

export interface AccessDeps {
  readonly db: Database;
  /** At least 32 characters. */
  readonly jwtSecret: string;
  readonly clock: Clock;
  /** Told of what changes who may do what; nobody, when absent. */
  readonly events?: Pick<SecurityEvents, "record">;
}

export interface Access extends AccessService {
  /**
   * Who sent the request. `authorization` is the header (`Bearer <API key or session token>`); `tenantHeader`
   * is X-Tenant-ID, which may name the credential's tenant and no other. Throws AUTH_REQUIRED,
   * AUTH_KEY_INVALID, AUTH_TOKEN_INVALID, AUTH_TOKEN_EXPIRED, AUTH_TENANT_FORBIDDEN. What is revoked in
   * another process may pass for 5 s. Not inside a transaction.
   */
  authenticate: Authenticator["authenticate"];
  /**
   * The principal as a caller, for work that goes on after its request. Throws PRINCIPAL_NOT_FOUND,
   * PRINCIPAL_DISABLED. Not inside a transaction.
   */
  callerFor: Authenticator["callerFor"];
  /** The principal for what is told of it, such as receipts: also when it is disabled and may not act. */
  whoIs: Authenticator["whoIs"];
  /** The principal of that TypeID or name, as it may act now; undefined when there is none, or it is disabled. */
  principalNamed: Authenticator["principalNamed"];
  /** Waits for what is still being written. */
  close(): Promise<void>;
}

export function createAccess(deps: AccessDeps): Access {
  const sessions = createSessions(deps);
  const authenticator = createAuthenticator({ ...deps, sessions });
  const record = deps.events?.record ?? (async () => {});
  const parts: ServiceDeps = { db: deps.db, clock: deps.clock, sessions, authenticator, record };
  return {
    ...tenantUseCases(parts),
    ...principalUseCases(parts),
    ...keyUseCases(parts),
    authenticate: authenticator.authenticate,
    callerFor: authenticator.callerFor,
    whoIs: authenticator.whoIs,
    principalNamed: authenticator.principalNamed,
    close: authenticator.settle,
  };
}
