import type { Database } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import type { Clock } from "#platform/kernel";
import type { Authenticator } from "./authenticate.ts";
import type { ApiKeyInfo, Caller, Principal, PrincipalKind, PrincipalStatus, Tenant } from "./domain.ts";
import type { IssuedToken, Sessions } from "./sessions.ts";

/** One page, newest first. `before` of the next one is the last id of this; `more` says whether there is one. */
export interface PageOf<T> {
  readonly items: readonly T[];
  readonly more: boolean;
}

export interface PageRequest {
  readonly limit: number;
  readonly before?: string | null;
}

export interface NewPrincipal {
  readonly name: string;
  readonly kind: PrincipalKind;
  readonly roles: readonly string[];
  readonly ownerId?: string | null;
}

export interface NewTenant {
  readonly tenantId: string;
  readonly principalId: string;
  /** The administrator's key: shown once. */
  readonly apiKey: string;
}

/** An issued key: `key` is shown once and kept nowhere. */
export type IssuedApiKey = ApiKeyInfo & { readonly key: string };

/** Use-cases that need permissions. Another tenant's id answers like one that does not exist. */
export interface AccessService {
  /**
   * Makes the first tenant with its administrator and key, exactly once however many processes try; whoever
   * comes later learns which tenant it was.
   */
  bootstrap(
    name: string,
  ): Promise<
    ({ readonly created: true } & NewTenant) | { readonly created: false; readonly tenantId: string }
  >;
  /** Needs `platform:operate`. */
  createTenant(caller: Caller, name: string): Promise<NewTenant>;
  /** Needs `platform:operate`. */
  listTenants(caller: Caller): Promise<Tenant[]>;
  /** The caller's own tenant. */
  findTenant(caller: Caller): Promise<Tenant>;
  /** Throws PRINCIPAL_NAME_TAKEN, ROLE_UNKNOWN, AUTH_FORBIDDEN (also for roles beyond the caller's own). */
  createPrincipal(caller: Caller, draft: NewPrincipal): Promise<Principal>;
  /** Changes roles or status. Nobody changes one who may do more than they, nor themselves. */
  updatePrincipal(
    caller: Caller,
    id: string,
    change: { readonly roles?: readonly string[]; readonly status?: PrincipalStatus },
  ): Promise<Principal>;
  listPrincipals(caller: Caller, page: PageRequest): Promise<PageOf<Principal>>;
  findPrincipal(caller: Caller, id: string): Promise<Principal>;
  /** For a principal who may do no more than the caller. */
  issueKey(
    caller: Caller,
    principalId: string,
    draft?: { readonly name?: string | null; readonly expiresAt?: Date | null },
  ): Promise<IssuedApiKey>;
  listKeys(
    caller: Caller,
    page: PageRequest & { readonly principalId?: string | null },
  ): Promise<PageOf<ApiKeyInfo>>;
  /** Revoking twice is no error. */
  revokeKey(caller: Caller, keyId: string): Promise<ApiKeyInfo>;
  /** A session of one hour: one's own without more ado, another's with `access:write`. */
  issueToken(caller: Caller, principalId?: string): Promise<IssuedToken>;
}

export interface ServiceDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly sessions: Sessions;
  readonly authenticator: Authenticator;
  readonly record: SecurityEvents["record"];
}

export const pageOf = <T>(rows: readonly T[], limit: number): PageOf<T> => ({
  items: rows.slice(0, limit),
  more: rows.length > limit,
});
