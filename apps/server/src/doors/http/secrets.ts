import { type Caller, requirePermission } from "#platform/access";
import type { Database } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import type { SecretAccess, SecretInfo, Vault } from "#platform/vault";

/** Secrets for callers: what the vault keeps, under permissions. Values go in and never come out. */
export interface Secrets {
  put(caller: Caller, name: string, value: string): Promise<SecretInfo>;
  list(caller: Caller): Promise<SecretInfo[]>;
  /**
   * Stores many at once, all or none. Without `overwrite` those that exist stay as they are; `dryRun` tells what would
   * happen and stores nothing. Throws REQUEST_INVALID on a name.
   */
  import(
    caller: Caller,
    request: {
      readonly secrets: Readonly<Record<string, string>>;
      readonly overwrite: boolean;
      readonly dryRun: boolean;
    },
  ): Promise<ImportedSecret[]>;
  /** Who used it for what, by the hour, newest first. */
  uses(
    caller: Caller,
    name: string,
    page: { readonly limit: number; readonly before: string | undefined },
  ): Promise<SecretAccess[]>;
  /** Throws SECRET_NOT_FOUND. */
  remove(caller: Caller, name: string): Promise<void>;
}

export interface ImportedSecret {
  readonly name: string;
  readonly outcome: "created" | "replaced" | "kept";
}

export function createSecrets(deps: {
  readonly db: Pick<Database, "tx">;
  readonly vault: Pick<Vault, "putSecret" | "listSecrets" | "deleteSecret" | "listUses">;
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
    import: async (caller, { secrets, overwrite, dryRun }) => {
      requirePermission(caller, "secrets:write");
      const { tenantId, principalId } = caller;
      const known = new Set((await vault.listSecrets(tenantId)).map(({ name }) => name));
      const plan = Object.keys(secrets).map((name): ImportedSecret => {
        const outcome = !known.has(name) ? "created" : overwrite ? "replaced" : "kept";
        return { name, outcome };
      });
      if (dryRun) return plan;
      const wanted = plan.filter(({ outcome }) => outcome !== "kept");
      await db.tx(tenantId, async (tx) => {
        for (const { name } of wanted)
          await vault.putSecret(tx, tenantId, name, secrets[name] ?? "", principalId);
        const details = { stored: wanted.length, kept: plan.length - wanted.length };
        await events.record(tx, { tenantId, type: "vault.imported", actor: caller, details });
      });
      return plan;
    },
    uses: async (caller, name, page) => {
      requirePermission(caller, "secrets:read");
      return vault.listUses(caller.tenantId, name, page);
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
