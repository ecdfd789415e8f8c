import { buildConnector, Pool } from "undici";

/** Keep-alive connections, one pool for each tenant, origin and address. */
export interface Pools {
  for(tenantId: string, origin: string, address: string): Pool;
  /** Lets running requests end, then closes every connection. */
  close(): Promise<void>;
}

export interface PoolSettings {
  readonly connectTimeoutMs: number;
  readonly keepAliveMs: number;
  /** Open connections of one tenant to one address of one origin; further requests wait for a free one. */
  readonly maxConnections: number;
  /** Extra certificate authorities in PEM, besides the system's. */
  readonly ca?: string | readonly string[] | undefined;
}

const maxPools = 1_000;

/**
 * A pool dials one address and nothing else: its connector gets the address that was judged, while the Host
 * header, SNI and the certificate check keep the name of the origin. Tenants do not share connections, since
 * some servers authenticate a connection rather than a request.
 */
export function createPools(settings: PoolSettings): Pools {
  const pools = new Map<string, Pool>();
  const dial = buildConnector({
    timeout: settings.connectTimeoutMs,
    allowH2: false,
    ...(settings.ca === undefined
      ? {}
      : { ca: typeof settings.ca === "string" ? settings.ca : [...settings.ca] }),
  });

  const open = (origin: string, address: string): Pool =>
    new Pool(origin, {
      connections: settings.maxConnections,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: settings.keepAliveMs,
      keepAliveMaxTimeout: settings.keepAliveMs,
      connect: (options, done) => dial({ ...options, hostname: address }, done),
    });

  const makeRoom = (): void => {
    for (const [key, pool] of pools) {
      if (pools.size < maxPools) return;
      if (pool.stats.size > 0) continue;
      pools.delete(key);
      void pool.close().catch(() => undefined);
    }
  };

  return {
    for(tenantId, origin, address) {
      const key = `${tenantId} ${origin} ${address}`;
      let pool = pools.get(key);
      if (pool === undefined) {
        makeRoom();
        pool = open(origin, address);
        pools.set(key, pool);
      }
      return pool;
    },
    async close() {
      const all = [...pools.values()];
      pools.clear();
      await Promise.all(all.map((pool) => pool.close()));
    },
  };
}
