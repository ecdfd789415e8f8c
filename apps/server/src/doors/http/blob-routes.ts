import { runId } from "@oars/contract";
import { z } from "zod";
import { route, type ServiceRoute } from "./services.ts";
import { jsonType } from "./sync-answer.ts";
import { idOf } from "./wire-id.ts";

const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/, { error: "must be 64 lower-case hex digits" })
  .meta({ examples: ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"] });

export const blobRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/runs/:id/blobs/:digest",
    access: "runs:read",
    tag: "runs",
    summary: "Read a large payload of a run",
    description:
      'Payloads over 32 KiB are shown as `{"$blob": {"sha256", "bytes"}}`; this gives the JSON behind it, as a stream.',
    params: z.strictObject({ id: runId, digest }),
    notFound: "BLOB_NOT_FOUND",
    answer: { status: 200, body: z.unknown() },
    handle: async ({ blobs }, { caller, params, reply }) => {
      const owner = { tenantId: caller.tenantId, runId: idOf("run", params.id) };
      const { bytes, body } = await blobs.stream(owner, params.digest);
      return reply
        .code(200)
        .header("content-type", jsonType)
        .header("content-length", bytes)
        .header("etag", `"${params.digest}"`)
        .header("cache-control", "private, immutable, max-age=31536000")
        .send(body);
    },
  }),
];
