import { type FieldProblem, isUuid, OarsError, parseId } from "#platform/kernel";
import { isRole, type Permission, permissionsOfAll, roleNames } from "./permissions.ts";

export type PrincipalKind = "user" | "agent" | "service";
export type PrincipalStatus = "active" | "disabled";

/** Who acts, as every door and room below it sees them. Shared between requests: never written to. */
export interface Caller {
  readonly tenantId: string;
  readonly principalId: string;
  readonly principalKind: PrincipalKind;
  readonly principalName: string;
  /** The person who answers for an agent or a service. */
  readonly ownerId: string | null;
  readonly roles: readonly string[];
  readonly permissions: ReadonlySet<Permission>;
  readonly credential: {
    readonly kind: "api_key" | "token" | "internal";
    /** Id of the key, of the token, or of the principal. */
    readonly id: string;
    /** The key that a token was issued to: the token ends with it. */
    readonly keyId?: string;
  };
}

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
}

export interface Principal {
  readonly tenantId: string;
  readonly id: string;
  readonly kind: PrincipalKind;
  readonly name: string;
  readonly ownerId: string | null;
  readonly status: PrincipalStatus;
  readonly roles: readonly string[];
  readonly createdAt: Date;
}

export interface ApiKeyInfo {
  readonly id: string;
  readonly principalId: string;
  /** The first characters of the key, to recognise it by. */
  readonly prefix: string;
  readonly name: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  /** Correct to the minute. */
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

/** What a credential was looked up to, without the credential. */
export type Identity = Omit<Principal, "createdAt" | "status">;

/** Throws AUTH_FORBIDDEN naming the permission. */
export function requirePermission(caller: Caller, permission: Permission): void {
  if (!caller.permissions.has(permission)) throw new OarsError("AUTH_FORBIDDEN", { permission });
}

export const toCaller = (who: Identity, credential: Caller["credential"]): Caller => ({
  tenantId: who.tenantId,
  principalId: who.id,
  principalKind: who.kind,
  principalName: who.name,
  ownerId: who.ownerId,
  roles: who.roles,
  permissions: permissionsOfAll(who.roles),
  credential,
});

/**
 * Nobody gives what they do not hold. Throws ROLE_UNKNOWN, or AUTH_FORBIDDEN naming the first permission that
 * a role holds and the caller does not.
 */
export function requireGrantable(caller: Caller, roles: readonly string[]): void {
  for (const role of roles) {
    if (!isRole(role)) throw new OarsError("ROLE_UNKNOWN", { role, roles: roleNames.join(", ") });
  }
  requireCovers(caller, roles);
}

/** Nobody acts on one who may do more than they. Throws AUTH_FORBIDDEN naming the permission. */
export function requireCovers(caller: Caller, roles: readonly string[]): void {
  for (const permission of permissionsOfAll(roles)) requirePermission(caller, permission);
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Throws REQUEST_INVALID unless the text may name a principal. */
export function checkPrincipalName(name: string): void {
  if (!namePattern.test(name)) {
    refuse(
      "name",
      "must be 1 to 100 letters, digits, dots, dashes or underscores and start with a letter or digit",
    );
  }
}

/** Throws REQUEST_INVALID unless the text may name a tenant or a key: for people, free of form. */
export function checkTitle(name: string): void {
  if (name.trim() === "" || [...name].length > 100 || /\p{Cc}/u.test(name)) {
    refuse("name", "must be 1 to 100 characters without control characters");
  }
}

export function refuse(path: string, message: string): never {
  const problem: FieldProblem = { path, code: "format", message };
  throw new OarsError("REQUEST_INVALID", {}, { errors: [problem] });
}

/** The tenant that an X-Tenant-ID header names, as TypeID or UUID; undefined when it names none. */
export function toTenantId(header: string): string | undefined {
  const text = header.trim().toLowerCase();
  return isUuid(text) ? text : parseId("tenant", text);
}
