import {
  keyThumbprint,
  revokeKeyRequest,
  rotatedKey,
  rotateKeyRequest,
  signingKeyList,
  trustKey,
} from "@oars/contract";
import { z } from "zod";
import type { Caller } from "#platform/access";
import { OarsError } from "#platform/kernel";
import { route, type ServiceRoute } from "./services.ts";

const tag = "keys";

const by = (caller: Caller) => ({
  id: caller.principalId,
  kind: caller.principalKind,
  ownerId: caller.ownerId,
  name: caller.principalName,
});

export const keyRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/keys",
    access: "log:read",
    tag,
    summary: "The tenant's signing keys, with how each one ends",
    description: "The same keys as in the trust document. Keys are never deleted.",
    answer: { status: 200, body: signingKeyList },
    handle: async ({ receipts }, { caller }) => ({ items: await receipts.keys(caller.tenantId) }),
  }),
  route({
    method: "POST",
    path: "/v1/keys/rotate",
    access: "keys:write",
    tag,
    summary: "Let a new key sign",
    description:
      "The old key may sign until the overlap is over; what it signed by then counts for ever. Leaves `key.rotated` receipts: of a receipt key one signed by the old and one by the new key. Heads of the log carry both signatures during the overlap.",
    body: rotateKeyRequest,
    answer: { status: 200, body: rotatedKey },
    idempotency: "door",
    handle: ({ signingKeys }, { caller, body }) =>
      signingKeys.rotate({
        tenantId: caller.tenantId,
        use: body.use,
        overlapMs: body.overlapSeconds * 1000,
        by: by(caller),
      }),
  }),
  route({
    method: "POST",
    path: "/v1/keys/:kid/revoke",
    access: "keys:write",
    tag,
    summary: "End a key at once",
    description:
      "For a key that somebody else may have. What it signed counts as far as the log held it by then, and never again. An active key is followed by a new one.",
    params: z.strictObject({ kid: keyThumbprint }),
    notFound: "SIGNING_KEY_NOT_FOUND",
    body: revokeKeyRequest,
    answer: { status: 200, body: trustKey },
    idempotency: "door",
    handle: async ({ signingKeys, receipts }, { caller, params, body }) => {
      const { tenantId } = caller;
      await signingKeys.revoke({ tenantId, kid: params.kid, reason: body.reason, by: by(caller) });
      const key = (await receipts.keys(tenantId)).find(({ keyId }) => keyId === params.kid);
      if (!key) throw new OarsError("SIGNING_KEY_NOT_FOUND", { kid: params.kid });
      return key;
    },
  }),
];
