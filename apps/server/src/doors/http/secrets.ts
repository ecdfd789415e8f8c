import { type Caller, requirePermission } from "#platform/access";
import type { Database } from "#platform/db";
import type { SecretInfo, Vault } from "#platform/vault";

/** Secrets for callers: what the vault keeps, under permissions. Values go in and never come out. */
export interface Secrets {
  put(caller: Caller, name: string, value: string): Promise<SecretInfo>;
  list(caller: Caller): Promise<SecretInfo[]>;
  /** Throws SECRET_NOT_FOUND. */
  remove(caller: Caller, name: string): Promise<void>;
}

export function createSecrets(deps: {
  readonly db: Pick<Database, "tx">;
  readonly vault: Pick<Vault, "putSecret" | "listSecrets" | "deleteSecret">;
}): Secrets {
  const { db, vault } = deps;
  return {
    put: async (caller, name, value) => {
      requirePermission(caller, "secrets:write");
      const { tenantId, principalId } = caller;
      return db.tx(tenantId, (tx) => vault.putSecret(tx, tenantId, name, value, principalId));
    },
    list: async (caller) => {
      requirePermission(caller, "secrets:read");
      return vault.listSecrets(caller.tenantId);
    },
    remove: async (caller, name) => {
      requirePermission(caller, "secrets:write");
      await db.tx(caller.tenantId, (tx) => vault.deleteSecret(tx, caller.tenantId, name));
    },
  };
}
