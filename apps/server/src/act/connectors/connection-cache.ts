import type { Connection } from "#act/connector-kit";

/**
 * Connections as the hot path finds them. A put in this process is seen at once; one in another process within
 * `ttlMs`. A read that began before a drop never fills the cache with what it read.
 */
export interface ConnectionCache {
  get(
    tenantId: string,
    name: string,
    load: () => Promise<Connection | undefined>,
  ): Promise<Connection | undefined> | Connection;
  drop(tenantId: string, name: string): void;
}

const maxEntries = 10_000;

export function createConnectionCache(ttlMs: number): ConnectionCache {
  const entries = new Map<string, { readonly connection: Connection; readonly until: number }>();
  let drops = 0;

  const keep = (key: string, connection: Connection): void => {
    entries.delete(key);
    if (entries.size >= maxEntries) {
      for (const oldest of entries.keys()) {
        entries.delete(oldest);
        break;
      }
    }
    entries.set(key, { connection, until: performance.now() + ttlMs });
  };

  const fill = async (key: string, load: () => Promise<Connection | undefined>) => {
    const before = drops;
    const connection = await load();
    if (connection !== undefined && drops === before) keep(key, connection);
    return connection;
  };

  return {
    get(tenantId, name, load) {
      const key = `${tenantId} ${name}`;
      const entry = entries.get(key);
      return entry !== undefined && entry.until > performance.now() ? entry.connection : fill(key, load);
    },
    drop(tenantId, name) {
      drops += 1;
      entries.delete(`${tenantId} ${name}`);
    },
  };
}
