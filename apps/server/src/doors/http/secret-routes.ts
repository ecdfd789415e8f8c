import { putSecretRequest, resourceName, secret, secretList } from "@oars/contract";
import { z } from "zod";
import type { SecretInfo } from "#platform/vault";
import { route, type ServiceRoute } from "./services.ts";
import { shownOrNull } from "./wire-id.ts";

const byName = z.strictObject({ name: resourceName });

const toSecret = (s: SecretInfo) => ({
  name: s.name,
  version: s.version,
  createdAt: s.createdAt,
  createdBy: shownOrNull("principal", s.createdBy),
  updatedAt: s.updatedAt,
  updatedBy: shownOrNull("principal", s.updatedBy),
});

export const secretRoutes: readonly ServiceRoute[] = [
  route({
    method: "PUT",
    path: "/v1/secrets/:name",
    access: "secrets:write",
    tag: "secrets",
    summary: "Store or replace a secret",
    description: "Connections name it as `vault:<name>`. No answer of the API ever holds its value.",
    params: byName,
    body: putSecretRequest,
    answer: { status: 200, body: secret },
    handle: async ({ secrets }, { caller, params, body }) =>
      toSecret(await secrets.put(caller, params.name, body.value)),
  }),
  route({
    method: "GET",
    path: "/v1/secrets",
    access: "secrets:read",
    tag: "secrets",
    summary: "List secrets, without their values",
    answer: { status: 200, body: secretList },
    handle: async ({ secrets }, { caller }) => ({ items: (await secrets.list(caller)).map(toSecret) }),
  }),
  route({
    method: "DELETE",
    path: "/v1/secrets/:name",
    access: "secrets:write",
    tag: "secrets",
    summary: "Delete a secret",
    params: byName,
    notFound: "SECRET_NOT_FOUND",
    answer: { status: 204 },
    handle: ({ secrets }, { caller, params }) => secrets.remove(caller, params.name),
  }),
];
