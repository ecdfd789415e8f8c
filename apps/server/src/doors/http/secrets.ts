import { type Caller, requirePermission } from "#platform/access";
import type { Database } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
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
  readonly events: Pick<SecurityEvents, "record">;
}): Secrets {
  const { db, vault, events } = deps;
  return {
    put: async (caller, name, value) => {
      requirePermission(caller, "secrets:write");
      const { tenantId, principalId } = caller;
      return db.tx(tenantId, async (tx) => {
        const info = await vault.putSecret(tx, tenantId, name, value, principalId);
        const target = { kind: "secret", id: name };
        const details = { version: info.version };
        await events.record(tx, { tenantId, type: "secret.stored", actor: caller, target, details });
        return info;
      });
    },
    list: async (caller) => {
      requirePermission(caller, "secrets:read");
      return vault.listSecrets(caller.tenantId);
    },
    remove: async (caller, name) => {
      requirePermission(caller, "secrets:write");
      const { tenantId } = caller;
      await db.tx(tenantId, async (tx) => {
        await vault.deleteSecret(tx, tenantId, name);
        const target = { kind: "secret", id: name };
        await events.record(tx, { tenantId, type: "secret.deleted", actor: caller, target });
      });
    },
  };
}
