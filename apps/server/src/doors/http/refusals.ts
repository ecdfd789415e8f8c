/**
 * What the door refuses, as security events: wrong credentials, missing permissions, other tenants' ids, too many
 * requests. They are counted after the answer is known and never change it.
 */
import type { FastifyRequest } from "fastify";
import type { EventType, SecurityEvents } from "#platform/events";
import type { OarsError } from "#platform/kernel";

export type DoorEvents = Pick<SecurityEvents, "count" | "suspect" | "within">;

const typeOf: Partial<Record<string, EventType>> = {
  AUTH_FORBIDDEN: "authorization.denied",
  STEP_UP_WRONG: "authentication.step_up_failed",
  STEP_UP_LOCKED: "authentication.step_up_failed",
  AUTH_TENANT_FORBIDDEN: "tenant.access_denied",
  REQUEST_RATE_LIMITED: "request.rate_limited",
};

/** Where a request came from: the peer, or what a trusted proxy says of it. */
export const originOf = (request: FastifyRequest) => ({ requestId: request.id, source: request.ip });

export function noteRefusal(events: DoorEvents, error: OarsError, request: FastifyRequest): void {
  const { caller } = request;
  const named = Object.values((request.params ?? {}) as Record<string, unknown>).map(String); // what the router matched
  if (error.status === 404 && caller !== null) {
    const about = { tenantId: caller.tenantId, actor: caller, details: placeOf(request, error) };
    events.within(originOf(request), () => events.suspect(about, named));
    return;
  }
  const type = typeOf[error.code] ?? (error.status === 401 ? "authentication.failed" : undefined);
  if (type === undefined) return;
  const draft = { tenantId: caller?.tenantId ?? null, actor: caller, details: placeOf(request, error) };
  events.within(originOf(request), () => events.count({ ...draft, type }));
}

const placeOf = (request: FastifyRequest, error: OarsError) => ({
  method: request.method,
  route: request.routeOptions?.url ?? "none",
  code: error.code,
  ...(typeof error.params.permission === "string" ? { permission: error.params.permission } : {}),
});
