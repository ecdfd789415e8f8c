/** For tests: somebody who may publish and read flows, in a tenant of their own unless one is given. */
import type { Caller } from "#platform/access";
import { newId } from "#platform/kernel";

export const authorOf = (
  tenantId = newId(),
  permissions: Caller["permissions"] = new Set(["flows:publish", "flows:read"]),
): Caller => ({
  tenantId,
  principalId: newId(),
  principalKind: "user",
  principalName: "author",
  ownerId: null,
  roles: [],
  permissions,
  credential: { kind: "internal", id: newId() },
});
