import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Config } from "#platform/config";
import { OarsError } from "#platform/kernel";

export interface RateLimits {
  /** Counts against the authenticated principal. Throws REQUEST_RATE_LIMITED. */
  countPrincipal(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** Counts against the peer address (IPv6: its /64). Throws REQUEST_RATE_LIMITED. */
  countPeer(request: FastifyRequest, reply: FastifyReply): Promise<void>;
}

type Counter = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** How many callers are remembered per process; beyond it the one longest unseen starts anew. */
const remembered = 50_000;

/**
 * Fixed windows, counted in this process. The key is never a header of the request: it is an id that
 * authentication gave, or the address of the peer.
 */
export async function createRateLimits(
  app: FastifyInstance,
  config: Config["http"]["rateLimit"],
): Promise<RateLimits> {
  if (!config.enabled) return { countPrincipal: async () => {}, countPeer: async () => {} };
  const { max, windowMs } = config;
  await app.register(rateLimit, { global: false, max, timeWindow: windowMs, cache: remembered });
  const principal = app.createRateLimit({
    max,
    timeWindow: windowMs,
    keyGenerator: (request) => request.caller?.principalId ?? request.ip,
  });
  const peer = app.createRateLimit({ max, timeWindow: windowMs, ipv6Subnet: 64 });
  return { countPrincipal: counter(principal), countPeer: counter(peer) };
}

function counter(count: ReturnType<FastifyInstance["createRateLimit"]>): Counter {
  return async (request, reply) => {
    const result = await count(request);
    if (result.isAllowed) return;
    reply.header("x-ratelimit-limit", result.max);
    reply.header("x-ratelimit-remaining", result.remaining);
    reply.header("x-ratelimit-reset", result.ttlInSeconds);
    if (result.isExceeded) {
      throw new OarsError("REQUEST_RATE_LIMITED", { seconds: Math.max(1, result.ttlInSeconds) });
    }
  };
}
