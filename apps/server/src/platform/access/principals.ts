import type { Db } from "#platform/db";
import { formatId, newId, OarsError } from "#platform/kernel";
import {
  checkPrincipalName,
  type Principal,
  refuse,
  requireCovers,
  requireGrantable,
  requirePermission,
} from "./domain.ts";
import { type AccessService, pageOf, type ServiceDeps } from "./service.ts";
import * as store from "./store.ts";

type PrincipalUseCases = Pick<
  AccessService,
  "createPrincipal" | "updatePrincipal" | "listPrincipals" | "findPrincipal"
>;

export function principalUseCases({ db, authenticator, record }: ServiceDeps): PrincipalUseCases {
  return {
    createPrincipal: async (caller, draft) => {
      requirePermission(caller, "access:write");
      checkPrincipalName(draft.name);
      requireGrantable(caller, draft.roles);
      const { tenantId } = caller;
      const id = newId();
      return db.tx(tenantId, async (tx) => {
        const ownerId = draft.ownerId ?? null;
        if (ownerId !== null) await principalOf(tx, tenantId, ownerId);
        const { name, kind, roles } = draft;
        await store.insertPrincipal(tx, { tenantId, id, name, kind, roles, ownerId });
        const target = { kind: "principal", id: formatId("principal", id) };
        const details = { name, kind, roles: [...roles] };
        await record(tx, { tenantId, type: "principal.created", actor: caller, target, details });
        return principalOf(tx, tenantId, id);
      });
    },
    updatePrincipal: async (caller, id, change) => {
      requirePermission(caller, "access:write");
      if (id === caller.principalId) refuse("id", "is your own; another administrator must change it");
      if (change.roles) requireGrantable(caller, change.roles);
      const { tenantId } = caller;
      return db.tx(tenantId, async (tx) => {
        await store.lockPrincipal(tx, tenantId, id);
        const before = await principalOf(tx, tenantId, id);
        requireCovers(caller, before.roles);
        if (change.roles) await store.replaceRoles(tx, tenantId, id, change.roles);
        if (change.status) await store.updateStatus(tx, tenantId, id, change.status);
        tx.onCommit(() => authenticator.forget(tenantId, id));
        const after = await principalOf(tx, tenantId, id);
        const target = { kind: "principal", id: formatId("principal", id) };
        const details = {
          name: after.name,
          roles: [...after.roles],
          rolesBefore: [...before.roles],
          status: after.status,
        };
        await record(tx, { tenantId, type: "principal.changed", actor: caller, target, details });
        return after;
      });
    },
    listPrincipals: async (caller, { limit, before = null }) => {
      requirePermission(caller, "access:read");
      const { tenantId } = caller;
      const page = { limit: limit + 1, before };
      return pageOf(
        await db.read(tenantId, (tenantDb) => store.listPrincipalRows(tenantDb, tenantId, page)),
        limit,
      );
    },
    findPrincipal: async (caller, id) => {
      if (id !== caller.principalId) requirePermission(caller, "access:read");
      return db.read(caller.tenantId, (tenantDb) => principalOf(tenantDb, caller.tenantId, id));
    },
  };
}

/** Throws PRINCIPAL_NOT_FOUND. */
export async function principalOf(db: Db, tenantId: string, id: string): Promise<Principal> {
  const [principal] = await store.findPrincipalRow(db, tenantId, id);
  if (!principal) throw new OarsError("PRINCIPAL_NOT_FOUND");
  return principal;
}
