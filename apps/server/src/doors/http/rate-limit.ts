import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Config } from "#platform/config";
import { OarsError } from "#platform/kernel";

/** Limits of this process: several processes count apart from each other. */
export interface RateLimits {
  /** Counts against the authenticated principal. Throws REQUEST_RATE_LIMITED. */
  countPrincipal(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** Counts against the peer address (IPv6: its /64). Throws REQUEST_RATE_LIMITED. */
  countPeer(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** Counts against the tenant, whoever of it calls. Throws REQUEST_RATE_LIMITED. */
  countTenant(tenantId: string): void;
}

type Counter = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** How many callers are remembered per process; beyond it the one longest unseen starts anew. */
const remembered = 50_000;

/**
 * Fixed windows, counted in this process. The key is never a header of the request: it is an id that
 * authentication gave, or the address of the peer, which a trusted proxy may say.
 */
export async function createRateLimits(
  app: FastifyInstance,
  config: Pick<Config["http"], "rateLimit"> & Partial<Pick<Config["http"], "tenantPerSecond">>,
): Promise<RateLimits> {
  const countTenant = tenantCounter(config.tenantPerSecond ?? 0);
  const { max, windowMs, enabled } = config.rateLimit;
  if (!enabled) return { countPrincipal: async () => {}, countPeer: async () => {}, countTenant };
  await app.register(rateLimit, { global: false, max, timeWindow: windowMs, cache: remembered });
  const principal = app.createRateLimit({
    max,
    timeWindow: windowMs,
    keyGenerator: (request) => request.caller?.principalId ?? request.ip,
  });
  const peer = app.createRateLimit({ max, timeWindow: windowMs, ipv6Subnet: 64 });
  return { countPrincipal: counter(principal), countPeer: counter(peer), countTenant };
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

interface Window {
  until: number;
  count: number;
}

/** A tenant's second begins with its first request. */
function tenantCounter(max: number, now: () => number = () => performance.now()): (tenantId: string) => void {
  if (max === 0) return () => {};
  const windows = new Map<string, Window>();
  return (tenantId) => {
    const at = now();
    const window = windows.get(tenantId);
    if (window && window.until > at) {
      if (++window.count > max) throw new OarsError("REQUEST_RATE_LIMITED", { seconds: 1 });
      return;
    }
    windows.delete(tenantId); // the oldest stay in front
    windows.set(tenantId, { until: at + 1000, count: 1 });
    const oldest = windows.size > remembered ? windows.keys().next().value : undefined;
    if (oldest !== undefined) windows.delete(oldest);
  };
}
