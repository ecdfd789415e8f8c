import type { FastifyReply, FastifyRequest } from "fastify";
import type { Access as AccessRoom, Caller } from "#platform/access";
import { OarsError } from "#platform/kernel";
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
 * Lets a request in before its body is read: authenticate, count, check the permission, in this order.
 * A known caller is counted by its principal; an anonymous request, and one whose credentials are refused,
 * by its peer address. So new tokens never open a new allowance, and nobody is locked out by a neighbour
 * behind the same address who has a wrong key.
 */
export function admission<S>(route: Route<S>, access: Authenticate, limits: RateLimits) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (route.access === "anonymous") {
      if (!route.unlimited) await limits.countPeer(request, reply);
      return;
    }
    const caller = await callerOf(request, reply, access, limits);
    request.caller = caller;
    if (!route.unlimited) await limits.countPrincipal(request, reply);
    if (route.access !== "authenticated" && !caller.permissions.has(route.access)) {
      throw new OarsError("AUTH_FORBIDDEN", { permission: route.access });
    }
  };
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
