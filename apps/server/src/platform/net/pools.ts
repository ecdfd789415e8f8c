import { buildConnector, Pool } from "undici";

/** How this side proves itself in TLS. Texts in PEM. */
export interface ClientIdentity {
  /** Tells identities apart: connections of one are not used for another. */
  readonly id: string;
  readonly cert: string;
  readonly key: string;
  readonly passphrase?: string | undefined;
  /** Authorities of the server's certificate, in place of the dialer's. */
  readonly ca?: string | undefined;
}

/** Keep-alive connections, one pool for each tenant, origin, address and identity. */
export interface Pools {
  for(tenantId: string, origin: string, address: string, identity?: ClientIdentity): Pool;
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
  const dialWith = (identity: ClientIdentity | undefined) => {
    const ca = identity?.ca ?? settings.ca;
    return buildConnector({
      timeout: settings.connectTimeoutMs,
      allowH2: false,
      ...(ca === undefined ? {} : { ca: typeof ca === "string" ? ca : [...ca] }),
      ...(identity === undefined ? {} : { cert: identity.cert, key: identity.key }),
      ...(identity?.passphrase === undefined ? {} : { passphrase: identity.passphrase }),
    });
  };
  const anonymous = dialWith(undefined);

  const open = (origin: string, address: string, identity: ClientIdentity | undefined): Pool => {
    const dial = identity === undefined ? anonymous : dialWith(identity);
    return new Pool(origin, {
      connections: settings.maxConnections,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: settings.keepAliveMs,
      keepAliveMaxTimeout: settings.keepAliveMs,
      connect: (options, done) => {
        try {
          dial({ ...options, hostname: address }, done);
        } catch (error) {
          done(error as Error, null); // a key that fits no certificate: TLS says so before it connects
        }
      },
    });
  };

  const makeRoom = (): void => {
    for (const [key, pool] of pools) {
      if (pools.size < maxPools) return;
      if (pool.stats.size > 0) continue;
      pools.delete(key);
      void pool.close().catch(() => undefined);
    }
  };

  return {
    for(tenantId, origin, address, identity) {
      const key = `${tenantId} ${origin} ${address} ${identity?.id ?? ""}`;
      let pool = pools.get(key);
      if (pool === undefined) {
        makeRoom();
        pool = open(origin, address, identity);
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
