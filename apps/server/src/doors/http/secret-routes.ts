import {
  importedSecrets,
  importSecretsRequest,
  pageQuery,
  putSecretRequest,
  resourceName,
  secret,
  secretAccessList,
  secretList,
} from "@oars/contract";
import { z } from "zod";
import type { SecretAccess, SecretInfo } from "#platform/vault";
import { afterId, pageOfRows } from "./page.ts";
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

const toUse = (use: SecretAccess) => ({
  principalId: shownOrNull("principal", use.principalId),
  purpose: use.purpose,
  hour: use.hour,
  reads: use.reads,
  firstAt: use.firstAt,
  lastAt: use.lastAt,
  lastActionId: shownOrNull("action", use.lastActionId),
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
    method: "POST",
    path: "/v1/secrets/import",
    access: "secrets:write",
    tag: "secrets",
    summary: "Store many secrets at once",
    description:
      "All or none. Those that exist stay as they are unless `overwrite`; `dryRun` says what would happen. Sending it again stores the same values again.",
    body: importSecretsRequest,
    answer: { status: 200, body: importedSecrets },
    handle: async ({ secrets }, { caller, body }) => ({ items: await secrets.import(caller, body) }),
  }),
  route({
    method: "GET",
    path: "/v1/secrets/:name/access",
    access: "secrets:read",
    tag: "secrets",
    summary: "List who used a secret for what",
    description:
      "Counted by the hour, newest first. Uses of the last seconds may be missing when a process was killed.",
    params: byName,
    query: pageQuery,
    notFound: "SECRET_NOT_FOUND",
    answer: { status: 200, body: secretAccessList },
    handle: async ({ secrets }, { caller, params, query }) => {
      const page = { limit: query.limit + 1, before: afterId(query.cursor) };
      return pageOfRows(await secrets.uses(caller, params.name, page), query.limit, ({ id }) => id, toUse);
    },
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
