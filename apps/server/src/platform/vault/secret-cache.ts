/**
 * Values of secrets just read, so that a webhook or an action does not read the database for each signature.
 * A value is used for 5 s at most and forgotten at once when this process replaces or deletes it; a read that
 * was under way at that moment is not kept.
 */
export interface SecretCache {
  get(tenantId: string, name: string, load: () => Promise<string>): Promise<string>;
  drop(tenantId: string, name: string): void;
}

interface Entry {
  readonly value: Promise<string>;
  readonly until: number;
}

const lifeMs = 5000;
const mostEntries = 1000;

export function createSecretCache(now: () => number = () => performance.now()): SecretCache {
  const entries = new Map<string, Entry>();
  const keyOf = (tenantId: string, name: string): string => `${tenantId}/${name}`;

  return {
    get: (tenantId, name, load) => {
      const key = keyOf(tenantId, name);
      const found = entries.get(key);
      if (found && found.until > now()) return found.value;
      const entry: Entry = { value: load(), until: now() + lifeMs };
      entries.delete(key);
      entries.set(key, entry);
      entry.value.catch(() => {
        if (entries.get(key) === entry) entries.delete(key);
      });
      const oldest = entries.size > mostEntries ? entries.keys().next().value : undefined;
      if (oldest !== undefined) entries.delete(oldest);
      return entry.value;
    },
    drop: (tenantId, name) => {
      entries.delete(keyOf(tenantId, name));
    },
  };
}
