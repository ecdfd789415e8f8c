import type { FastifyReply, FastifyRequest } from "fastify";
import type { Access as AccessRoom, Caller } from "#platform/access";
import { isOarsError, OarsError } from "#platform/kernel";
import type { BackPressure } from "./back-pressure.ts";
import type { RateLimits } from "./rate-limit.ts";
import type { Route } from "./route.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who calls, once admitted. Null on anonymous routes. */
    caller: Caller | null;
  }
}

export type Authenticate = Pick<AccessRoom, "authenticate">;

/**
 * Lets a request in before its body is read: is there room for it, authenticate, count, check the permission, in
 * this order. A known caller is counted by its principal and its tenant; an anonymous request, and one whose
 * credentials are refused, by its peer address. So new tokens never open a new allowance, and nobody is locked out
 * by a neighbour behind the same address who has a wrong key.
 */
export function admission<S>(
  route: Route<S>,
  access: Authenticate,
  limits: RateLimits,
  pressure: BackPressure,
) {
  const { unlimited = false } = route;
  const anonymous = route.access === "anonymous";
  const enter = pressure.entrance(route);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (!unlimited) enter(request, reply);
    if (anonymous) {
      if (!unlimited && route.signed === undefined) await limits.countPeer(request, reply);
      return;
    }
    const caller = await callerOf(request, reply, access, limits);
    request.caller = caller;
    if (!unlimited) {
      limits.countTenant(caller.tenantId);
      await limits.countPrincipal(request, reply);
    }
    if (route.access !== "authenticated" && !caller.permissions.has(route.access as never)) {
      throw new OarsError("AUTH_FORBIDDEN", { permission: route.access });
    }
  };
}

/** A request that carries its own proof is counted like a wrong key where the proof fails: by its peer address. */
export async function countRefused(
  error: unknown,
  limits: RateLimits,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (isOarsError(error) && [401, 404, 410].includes(error.status)) await limits.countPeer(request, reply);
}

async function callerOf(
  request: FastifyRequest,
  reply: FastifyReply,
  access: Authenticate,
  limits: RateLimits,
): Promise<Caller> {
  try {
    const tenant = request.headers["x-tenant-id"];
    return await access.authenticate(
      request.headers.authorization,
      Array.isArray(tenant) ? tenant.join(",") : tenant,
    );
  } catch (error) {
    await limits.countPeer(request, reply);
    throw error;
  }
}
