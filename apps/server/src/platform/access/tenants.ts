import type { Tx } from "#platform/db";
import { formatId, newId, OarsError } from "#platform/kernel";
import { makeApiKey } from "./api-key.ts";
import { checkTitle, requirePermission } from "./domain.ts";
import type { AccessService, NewTenant, ServiceDeps } from "./service.ts";
import * as store from "./store.ts";
import { claimInstallation, findInstallation, insertTenant, listTenants } from "./system-store.ts";

type TenantUseCases = Pick<AccessService, "bootstrap" | "createTenant" | "listTenants" | "findTenant">;

export function tenantUseCases({ db, record }: ServiceDeps): TenantUseCases {
  return {
    bootstrap: async (name) => {
      checkTitle(name);
      const made = await db.system.tx(async (tx) => {
        const tenantId = newId();
        if (!(await claimInstallation(tx, tenantId))) return undefined;
        return foundTenant(tx, tenantId, name, ["admin", "platform_admin"]);
      });
      if (made) return { created: true, ...made };
      const [first] = await findInstallation(db);
      if (!first) throw new Error("an installation was claimed and is not there");
      return { created: false, tenantId: first.tenantId };
    },
    createTenant: async (caller, name) => {
      requirePermission(caller, "platform:operate");
      checkTitle(name);
      return db.system.tx(async (tx) => {
        const made = await foundTenant(tx, newId(), name, ["admin"]);
        const target = { kind: "tenant", id: formatId("tenant", made.tenantId) };
        await record(tx, { tenantId: caller.tenantId, type: "tenant.created", actor: caller, target });
        return made;
      });
    },
    listTenants: async (caller) => {
      requirePermission(caller, "platform:operate");
      return listTenants(db);
    },
    findTenant: async ({ tenantId }) => {
      const [tenant] = await db.read(tenantId, (tenantDb) => store.findTenantRow(tenantDb, tenantId));
      if (!tenant) throw new OarsError("TENANT_NOT_FOUND");
      return tenant;
    },
  };
}

async function foundTenant(
  tx: Tx,
  tenantId: string,
  name: string,
  roles: readonly string[],
): Promise<NewTenant> {
  await insertTenant(tx, tenantId, name);
  const principalId = newId();
  await store.insertPrincipal(tx, {
    tenantId,
    id: principalId,
    kind: "user",
    name: "admin",
    ownerId: null,
    roles,
  });
  const { key, prefix, hash } = makeApiKey();
  const row = { tenantId, id: newId(), principalId, prefix, hash, name: "first key", expiresAt: null };
  await store.insertKey(tx, row);
  return { tenantId, principalId, apiKey: key };
}
