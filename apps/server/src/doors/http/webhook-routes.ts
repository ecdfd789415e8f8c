import { webhookAccepted, webhookList } from "@oars/contract";
import { z } from "zod";
import type { Webhook } from "#orchestrate/triggers";
import { route, type ServiceRoute } from "./services.ts";
import { jsonType, linkRun, requireOutput, whenGone } from "./sync-answer.ts";
import { shown } from "./wire-id.ts";

const tag = "webhooks";

const toWebhook = ({ slug, flow, version, flowHash }: Webhook) => ({
  slug,
  path: `/api/webhook/${slug}`,
  flow,
  version,
  flowHash,
});

export const webhookRoutes: readonly ServiceRoute[] = [
  route({
    method: "POST",
    path: "/api/webhook/:slug",
    access: "anonymous",
    signed: true,
    startsWork: true,
    tag,
    summary: "Deliver a webhook",
    description:
      "Signed as Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`. Any content type; the signature covers the exact bytes. The run is durable before this answers; the same `webhook-id` again answers with the first run. `X-Tenant-ID` says whose slug is meant. Where the flow says `respond: { mode: sync }`, the answer is the output of the run, if it ends in time, and its `link` names the run; a run that failed answers 422.",
    params: z.strictObject({ slug: z.string().min(1).max(200) }),
    notFound: "WEBHOOK_NOT_FOUND",
    query: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
    bodyForm: "raw",
    answer: { status: 202, body: webhookAccepted, description: "Accepted; `location` is the run" },
    otherAnswers: [{ status: 200, body: z.unknown(), description: "The output of the run" }],
    handle: async ({ triggers }, { params, query, body, request, reply, countTenant }) => {
      const tenant = request.headers["x-tenant-id"];
      const { runId, duplicate, end } = await triggers.receive({
        slug: params.slug,
        tenantHeader: typeof tenant === "string" ? tenant : undefined,
        headers: request.headers,
        raw: body instanceof Uint8Array ? body : new Uint8Array(),
        contentType: request.headers["content-type"],
        query,
        admit: countTenant,
        gone: () => whenGone(reply),
      });
      if (end === null) {
        linkRun(reply, runId, "location");
        return { runId: shown("run", runId), duplicate };
      }
      requireOutput(runId, end, false);
      linkRun(reply, runId, "via");
      if (duplicate) reply.header("idempotency-replayed", "true");
      return reply.code(200).header("content-type", jsonType).send(JSON.stringify(end.output));
    },
  }),
  route({
    method: "GET",
    path: "/v1/webhooks",
    access: "webhooks:read",
    tag,
    summary: "List webhooks",
    answer: { status: 200, body: webhookList },
    handle: async ({ triggers }, { caller }) => ({ items: (await triggers.list(caller)).map(toWebhook) }),
  }),
];
