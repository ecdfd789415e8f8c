import {
  consistencyProof,
  consistencyQuery,
  inclusionProof,
  inclusionQuery,
  instanceTrust,
  logName,
  logStatus,
  witnessProof,
  witnessQuery,
} from "@oars/contract";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { OarsError } from "#platform/kernel";
import type { LogFile } from "#sign/log";
import { installationId } from "#sign/receipts";
import { isHeld } from "./if-none-match.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf } from "./wire-id.ts";

const tag = "log";
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** Whose tree a log's name means. */
const logOf = (name: string): string => (name === "instance" ? installationId : idOf("tenant", name));

const yearly = "public, max-age=31536000, immutable";
/** Whoever keeps one asks whether it is still the newest. */
const asked = "public, no-cache";

/** Answers 304 to those who hold the file already. */
function sendFile(file: LogFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply
    .header("etag", file.etag)
    .header("cache-control", file.immutable ? yearly : asked)
    .header("access-control-allow-origin", "*");
  return isHeld(request, file.etag)
    ? reply.code(304).send()
    : reply.code(200).header("content-type", file.type).send(file.body);
}

export const logRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/log/checkpoint",
    access: "log:read",
    tag,
    summary: "The newest signed checkpoint of the tenant's log",
    answer: { status: 200, type: "text/plain; charset=utf-8" },
    handle: ({ receiptLog }, { caller }) => receiptLog.checkpoint(caller.tenantId),
  }),
  route({
    method: "GET",
    path: "/v1/log/status",
    access: "log:read",
    tag,
    summary: "How the tenant's log is",
    description:
      "Compares the newest leaves with the tiles and the tiles with the signed head, as before each first head.",
    answer: { status: 200, body: logStatus },
    handle: async ({ receiptLog, logFiles }, { caller }) => {
      const { root, problem, origin, ...rest } = await receiptLog.status(caller.tenantId);
      const name = origin.slice(origin.lastIndexOf("/log/") + 1);
      return {
        ...rest,
        origin,
        url: `${logFiles.baseUrl}/${name}`,
        public: logFiles.public,
        rootHash: root && base64(root),
        healthy: problem === null,
        problem,
      };
    },
  }),
  route({
    method: "GET",
    path: "/v1/log/proof/inclusion",
    access: "log:read",
    tag,
    summary: "Proof that a receipt is in the log",
    description: "Also for a receipt that retention has dropped: who kept a copy can prove it.",
    query: inclusionQuery,
    answer: { status: 200, body: inclusionProof },
    handle: async ({ receiptLog }, { caller, query }) => {
      const leaf = await receiptLog.leaf(caller.tenantId, idOf("receipt", query.receipt));
      return {
        receiptId: query.receipt,
        origin: leaf.origin,
        leafIndex: leaf.index,
        leafHash: base64(leaf.leafHash),
        treeSize: leaf.size,
        hashes: leaf.hashes.map(base64),
        checkpoint: leaf.checkpoint,
      };
    },
  }),
  route({
    method: "GET",
    path: "/v1/log/proof/consistency",
    access: "log:read",
    tag,
    summary: "Proof that the log only grew between two sizes",
    query: consistencyQuery,
    answer: { status: 200, body: consistencyProof },
    handle: async ({ receiptLog }, { caller, query }) => {
      const proof = await receiptLog.consistency(caller.tenantId, query.from, query.to);
      return { ...proof, hashes: proof.hashes.map(base64) };
    },
  }),
  route({
    method: "GET",
    path: "/v1/log/proof/witness",
    access: "log:read",
    tag,
    summary: "Proof that witnesses saw a receipt's log",
    description:
      "The receipt in its tenant's log, the head of that log in the log of logs, and its checkpoint with cosignatures. Of an idle log the head is stated again each hour: the same size twice proves that nothing happened between.",
    query: witnessQuery,
    answer: { status: 200, body: witnessProof },
    handle: ({ witnessing }, { caller, query }) =>
      witnessing.prove(caller.tenantId, idOf("receipt", query.receipt), query.quorum ?? witnessing.quorum),
  }),
  route({
    method: "GET",
    path: "/v1/trust/instance",
    access: "anonymous",
    tag: "trust",
    summary: "The log of logs and its witnesses",
    description: "What a verifier pins of an installation, beside the keys of its tenants.",
    answer: { status: 200, body: instanceTrust },
    handle: ({ witnessing }) => witnessing.trust(),
  }),
  route({
    method: "POST",
    path: "/witness/add-checkpoint",
    access: "anonymous",
    tag,
    summary: "Have a checkpoint cosigned (C2SP tlog-witness)",
    description:
      "For logs in `OARS_WITNESS_LOGS`. 200: the cosignature line. 409: what is known is of another size, which is the body. 403: not signed by the log. 404: not witnessed here. 422: the proof does not show that the log only grew.",
    bodyForm: "raw",
    answer: { status: 200, type: "text/plain; charset=utf-8" },
    otherAnswers: [
      { status: 409, type: "text/x.tlog.size" },
      ...([400, 403, 404, 422] as const).map((status) => ({ status, type: "text/plain; charset=utf-8" })),
    ],
    handle: async ({ witnessing }, { body, reply }) => {
      const text = Buffer.from(body as Uint8Array).toString("utf8"); // raw routes get bytes
      const answer = await witnessing.addCheckpoint(text);
      return reply.code(answer.status).header("content-type", answer.type).send(answer.body);
    },
  }),
  route({
    method: "GET",
    path: "/log/:log/*",
    access: "anonymous",
    tag,
    summary: "A file of a log, C2SP tlog-tiles",
    description:
      "`checkpoint`, `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`. Entries are digests of receipts with a random nonce inside: they tell nothing of the receipts. Full tiles may be cached for ever. Nothing is served where `OARS_LOG_PUBLIC` is `false`.",
    params: z.object({ log: logName, "*": z.string().meta({ examples: ["tile/0/000"] }) }),
    notFound: "LOG_FILE_NOT_FOUND",
    answer: { status: 200, type: "application/octet-stream" },
    otherAnswers: [
      { status: 200, type: "text/plain; charset=utf-8" },
      { status: 304, description: "The file is the one that If-None-Match names" },
    ],
    headers: [
      { name: "If-None-Match", description: "The ETag of the file that the caller holds.", example: '"abc"' },
    ],
    handle: async ({ receiptLog, logFiles }, { params, request, reply }) => {
      const file = logFiles.public && (await receiptLog.file(logOf(params.log), params["*"]));
      if (!file) throw new OarsError("LOG_FILE_NOT_FOUND");
      return sendFile(file, request, reply);
    },
  }),
];
