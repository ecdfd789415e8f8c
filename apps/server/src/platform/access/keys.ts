import { formatId, newId, OarsError } from "#platform/kernel";
import { makeApiKey } from "./api-key.ts";
import { type ApiKeyInfo, checkTitle, refuse, requireCovers, requirePermission } from "./domain.ts";
import { principalOf } from "./principals.ts";
import { type AccessService, pageOf, type ServiceDeps } from "./service.ts";
import * as store from "./store.ts";

/** Who the key is for; never the key. */
const about = (key: ApiKeyInfo) => ({
  target: { kind: "apiKey", id: formatId("apiKey", key.id) },
  details: { principal: formatId("principal", key.principalId), prefix: key.prefix },
});

type KeyUseCases = Pick<AccessService, "issueKey" | "listKeys" | "revokeKey" | "issueToken">;

export function keyUseCases({ db, clock, sessions, authenticator, record }: ServiceDeps): KeyUseCases {
  return {
    issueKey: async (caller, principalId, draft = {}) => {
      requirePermission(caller, "access:write");
      const { name = null, expiresAt = null } = draft;
      if (name !== null) checkTitle(name);
      if (expiresAt && expiresAt <= clock.now()) refuse("expiresAt", "must be in the future");
      const { tenantId } = caller;
      const { key, prefix, hash } = makeApiKey();
      const row = { tenantId, id: newId(), principalId, prefix, hash, name, expiresAt };
      const info = await db.tx(tenantId, async (tx) => {
        requireCovers(caller, (await principalOf(tx, tenantId, principalId)).roles);
        const [inserted] = await store.insertKey(tx, row);
        if (!inserted) throw new Error("an insert returned no row");
        await record(tx, { tenantId, type: "api_key.issued", actor: caller, ...about(inserted) });
        return inserted;
      });
      return { ...info, key };
    },
    listKeys: async (caller, { limit, before = null, principalId = null }) => {
      requirePermission(caller, "access:read");
      const { tenantId } = caller;
      const page = { limit: limit + 1, before, principalId };
      return pageOf(
        await db.read(tenantId, (tenantDb) => store.listKeyRows(tenantDb, tenantId, page)),
        limit,
      );
    },
    revokeKey: async (caller, keyId) => {
      requirePermission(caller, "access:write");
      const { tenantId } = caller;
      return db.tx(tenantId, async (tx) => {
        const [found] = await store.findKeyRow(tx, tenantId, keyId);
        if (!found) throw new OarsError("API_KEY_NOT_FOUND");
        requireCovers(caller, (await principalOf(tx, tenantId, found.principalId)).roles);
        const [revoked] = await store.revokeKeyRow(tx, tenantId, keyId);
        if (!revoked) throw new OarsError("API_KEY_NOT_FOUND");
        tx.onCommit(() => authenticator.forget(tenantId, revoked.principalId));
        await record(tx, { tenantId, type: "api_key.revoked", actor: caller, ...about(revoked) });
        return revoked;
      });
    },
    issueToken: async (caller, principalId = caller.principalId) => {
      const { tenantId, credential } = caller;
      if (principalId !== caller.principalId) {
        requirePermission(caller, "access:write");
        const who = await db.read(tenantId, (tenantDb) => principalOf(tenantDb, tenantId, principalId));
        if (who.status !== "active") throw new OarsError("PRINCIPAL_DISABLED", { name: who.name });
        requireCovers(caller, who.roles);
        return sessions.issue({ tenantId, principalId, keyId: null });
      }
      const keyId = credential.kind === "api_key" ? credential.id : (credential.keyId ?? null);
      return sessions.issue({ tenantId, principalId, keyId });
    },
  };
}
