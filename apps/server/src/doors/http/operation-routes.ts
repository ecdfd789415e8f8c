import { timingSafeEqual } from "node:crypto";
import { health, liveness } from "@oars/contract";
import type { FastifyReply } from "fastify";
import { OarsError, sha256 } from "#platform/kernel";
import type { HealthReport, Services } from "./services.ts";
import { route, type ServiceRoute } from "./services.ts";

const tag = "operation";

/** 200 when the server can do its work, else 503: the body is the same. */
async function readiness({ health: check, version }: Services, reply: FastifyReply): Promise<void> {
  const report: HealthReport = await check();
  await reply
    .code(report.ready ? 200 : 503)
    .header("content-type", "application/json; charset=utf-8")
    .send(readinessBody(report, version));
}

export const readinessBody = ({ ready, checks }: HealthReport, version: string): string =>
  JSON.stringify({ ready, version, checks });

/** Compares in a time that tells nothing: digests have one length. */
export const isBearer = (authorization: string | undefined, token: string): boolean =>
  timingSafeEqual(sha256(authorization ?? ""), sha256(`Bearer ${token}`));

const readyAnswer = { status: 200, body: health } as const;
const notReady = [{ status: 503, body: health, description: "Not ready" }] as const;

export const operationRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/health/live",
    access: "anonymous",
    tag,
    summary: "Whether the process answers",
    unlimited: true,
    answer: { status: 200, body: liveness },
    handle: () => ({ live: true }),
  }),
  route({
    method: "GET",
    path: "/health/ready",
    access: "anonymous",
    tag,
    summary: "Whether the server can do its work",
    unlimited: true,
    answer: readyAnswer,
    otherAnswers: notReady,
    handle: (services, { reply }) => readiness(services, reply),
  }),
  route({
    method: "GET",
    path: "/api/health",
    access: "anonymous",
    tag,
    summary: "The same as /health/ready",
    unlimited: true,
    answer: readyAnswer,
    otherAnswers: notReady,
    handle: (services, { reply }) => readiness(services, reply),
  }),
  route({
    method: "GET",
    path: "/metrics",
    access: "anonymous",
    tag,
    summary: "Prometheus metrics",
    description: "Needs `Authorization: Bearer` with the value of `OARS_METRICS_TOKEN` where that is set.",
    unlimited: true,
    answer: { status: 200, type: "text/plain" },
    handle: async ({ registry, metricsToken }, { request, reply }) => {
      if (metricsToken !== null && !isBearer(request.headers.authorization, metricsToken))
        throw new OarsError("AUTH_REQUIRED");
      await reply.header("content-type", registry.contentType).send(await registry.metrics());
    },
  }),
];
