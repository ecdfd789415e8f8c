import {
  challenge,
  confirmedFactor,
  confirmFactorRequest,
  enrolFactorRequest,
  enrolment,
  factor,
  factorChallengeRequest,
  factorId,
  factorList,
  factorQuery,
  factorReset,
  principalId,
  proofRequest,
  recoveryCodes,
} from "@oars/contract";
import { z } from "zod";
import type { Factor } from "#act/factors";
import { toProof } from "./approval-routes.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, idOrUndefined, shown } from "./wire-id.ts";

const tag = "factors";
const byId = z.strictObject({ id: factorId });

const toFactor = (f: Factor) => ({
  ...f,
  id: shown("factor", f.id),
  principalId: shown("principal", f.principalId),
});

export const factorRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/factors",
    access: "authenticated",
    tag,
    summary: "List one's second factors, or another person's",
    query: factorQuery,
    answer: { status: 200, body: factorList },
    handle: async ({ factors }, { caller, query }) => {
      const { items, recoveryCodesLeft } = await factors.list(
        caller,
        idOrUndefined("principal", query.principal),
      );
      return { items: items.map(toFactor), nextCursor: null, recoveryCodesLeft };
    },
  }),
  route({
    method: "POST",
    path: "/v1/factors",
    access: "authenticated",
    tag,
    summary: "Begin to enrol a second factor",
    description:
      "The secret is in this answer alone. Confirm within 15 minutes. Once one factor is active, a further one is confirmed with it.",
    body: enrolFactorRequest,
    answer: { status: 201, body: enrolment },
    idempotency: "door",
    replayable: (body) => ({ ...(body as object), secret: null, uri: null }), // the handler below answers an object
    handle: async ({ factors }, { caller, body }) => {
      const { kind, name } = body;
      const made = await factors.enrol(caller, { kind, name }, toProof(body));
      return {
        factor: toFactor(made.factor),
        secret: made.kind === "totp" ? made.secret : null,
        uri: made.kind === "totp" ? made.uri : null,
        options: made.kind === "webauthn" ? made.options : null,
      };
    },
  }),
  route({
    method: "POST",
    path: "/v1/factors/:id/confirm",
    access: "authenticated",
    tag,
    summary: "Confirm an enrolment",
    description: "The first factor brings recovery codes, which are in this answer alone.",
    params: byId,
    notFound: "FACTOR_NOT_FOUND",
    body: confirmFactorRequest,
    answer: { status: 200, body: confirmedFactor },
    idempotency: "door",
    replayable: (body) => ({ ...(body as object), recoveryCodes: null }), // the handler below answers an object
    handle: async ({ factors }, { caller, params, body }) => {
      const done = await factors.confirm(caller, idOf("factor", params.id), body);
      return { factor: toFactor(done.factor), recoveryCodes: done.recoveryCodes };
    },
  }),
  route({
    method: "POST",
    path: "/v1/factors/:id/revoke",
    access: "authenticated",
    tag,
    summary: "Give up a factor of one's own",
    params: byId,
    notFound: "FACTOR_NOT_FOUND",
    body: proofRequest.default({}),
    answer: { status: 200, body: factor },
    idempotency: "door",
    handle: async ({ factors }, { caller, params, body }) =>
      toFactor(await factors.revoke(caller, idOf("factor", params.id), toProof(body))),
  }),
  route({
    method: "POST",
    path: "/v1/factors/challenge",
    access: "authenticated",
    tag,
    summary: "Ask one's security key to confirm a change of one's factors",
    body: factorChallengeRequest,
    answer: { status: 201, body: challenge },
    idempotency: "door",
    handle: async ({ factors }, { caller, body }) => {
      const made = await factors.challenge(caller, body.for);
      return { challengeId: shown("challenge", made.id), options: made.options, expiresAt: made.expiresAt };
    },
  }),
  route({
    method: "POST",
    path: "/v1/factors/recovery-codes",
    access: "authenticated",
    tag,
    summary: "Make new recovery codes in place of the old ones",
    description: "They are in this answer alone.",
    body: proofRequest.default({}),
    answer: { status: 201, body: recoveryCodes },
    idempotency: "door",
    replayable: () => ({ recoveryCodes: [] }),
    handle: async ({ factors }, { caller, body }) => ({
      recoveryCodes: await factors.recoveryCodes(caller, toProof(body)),
    }),
  }),
  route({
    method: "POST",
    path: "/v1/principals/:id/factors/reset",
    access: "access:write",
    tag,
    summary: "Revoke all second factors of a person who lost them",
    params: z.strictObject({ id: principalId }),
    notFound: "PRINCIPAL_NOT_FOUND",
    answer: { status: 200, body: factorReset },
    idempotency: "door",
    handle: async ({ factors }, { caller, params }) => ({
      principalId: params.id,
      revoked: await factors.reset(caller, idOf("principal", params.id)),
    }),
  }),
];
