/**
 * What people said of a tenant's tools, in memory. A change in this process is seen at once, one of another process
 * within `ttlMs`. At most one read of a tenant is under way; one that began before a change is never kept.
 */
import type { AllowanceRow, ToolRow } from "./store.ts";

export interface Said {
  readonly rows: ReadonlyMap<string, ToolRow>;
  readonly allowance: AllowanceRow | undefined;
}

export interface Snapshots {
  get(tenantId: string): Said | Promise<Said>;
  drop(tenantId: string): void;
}

const most = 10_000;

export function createSnapshots(load: (tenantId: string) => Promise<Said>, ttlMs: number): Snapshots {
  const held = new Map<string, { readonly said: Said; readonly until: number }>();
  const reading = new Map<string, Promise<Said>>();

  const read = (tenantId: string): Promise<Said> => {
    const flight: Promise<Said> = load(tenantId).then(
      (said) => {
        if (reading.get(tenantId) !== flight) return said;
        reading.delete(tenantId);
        held.delete(tenantId);
        held.set(tenantId, { said, until: performance.now() + ttlMs });
        const [oldest] = held.keys();
        if (held.size > most && oldest !== undefined) held.delete(oldest);
        return said;
      },
      (cause: unknown) => {
        if (reading.get(tenantId) === flight) reading.delete(tenantId);
        throw cause;
      },
    );
    reading.set(tenantId, flight);
    return flight;
  };
  return {
    get(tenantId) {
      const entry = held.get(tenantId);
      if (entry !== undefined && entry.until > performance.now()) return entry.said;
      return reading.get(tenantId) ?? read(tenantId);
    },
    drop(tenantId) {
      held.delete(tenantId);
      reading.delete(tenantId);
    },
  };
}
