/**
 * The publication of each tenant, in memory. A publish in this process is seen at once; one of another
 * process within `freshMs`, because the revision is read again when what is held is older than that.
 * At most one read per tenant is under way; a read that began before a publish is never kept.
 */
export interface Active<T> {
  get(tenantId: string): Promise<T>;
  forget(tenantId: string): void;
}

interface Held<T> {
  readonly revision: number;
  readonly value: T;
  readonly readAt: number;
}

export function createActive<T>(deps: {
  readonly load: (tenantId: string) => Promise<{ revision: number; value: T }>;
  readonly revision: (tenantId: string) => Promise<number>;
  readonly now: () => number;
  readonly freshMs?: number;
  readonly tenants?: number;
}): Active<T> {
  const { freshMs = 1_000, tenants = 1_000 } = deps;
  const held = new Map<string, Held<T>>(); // in order of reading, oldest first
  const reading = new Map<string, Promise<T>>();

  const read = async (tenantId: string, before: Held<T> | undefined): Promise<Held<T>> => {
    const readAt = deps.now();
    if (before !== undefined && (await deps.revision(tenantId)) === before.revision)
      return { ...before, readAt };
    return { ...(await deps.load(tenantId)), readAt };
  };
  const refresh = (tenantId: string): Promise<T> => {
    const flight: Promise<T> = read(tenantId, held.get(tenantId)).then(
      (next) => {
        if (reading.get(tenantId) !== flight) return next.value;
        reading.delete(tenantId);
        held.delete(tenantId);
        held.set(tenantId, next);
        const [oldest] = held.keys();
        if (held.size > tenants && oldest !== undefined) held.delete(oldest);
        return next.value;
      },
      (cause) => {
        if (reading.get(tenantId) === flight) reading.delete(tenantId);
        throw cause;
      },
    );
    reading.set(tenantId, flight);
    return flight;
  };
  return {
    get(tenantId) {
      const found = held.get(tenantId);
      if (found !== undefined && Math.abs(deps.now() - found.readAt) < freshMs)
        return Promise.resolve(found.value);
      return reading.get(tenantId) ?? refresh(tenantId);
    },
    forget(tenantId) {
      held.delete(tenantId);
      reading.delete(tenantId);
    },
  };
}
