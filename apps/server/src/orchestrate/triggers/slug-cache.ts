/**
 * Who has a slug, read a moment ago, so that a delivery does not cost a read. What is read is used for `lifeMs` at
 * most; this process forgets a slug as soon as it is published anew, others when they hear of it. A read that was
 * under way at that moment is not kept. Slugs that nobody has are not kept, so strangers cannot fill the memory.
 */
import type { Webhook } from "./store.ts";

export interface SlugCache {
  get(key: string, load: () => Promise<Webhook[]>): readonly Webhook[] | Promise<readonly Webhook[]>;
  forget(): void;
}

interface Entry {
  readonly webhooks: readonly Webhook[];
  readonly until: number;
}

const lifeMs = 5_000;
const most = 10_000;

export function createSlugCache(now: () => number = () => performance.now()): SlugCache {
  const entries = new Map<string, Entry>();
  const reading = new Map<string, Promise<readonly Webhook[]>>();
  let forgotten = 0;

  const read = async (key: string, load: () => Promise<Webhook[]>): Promise<readonly Webhook[]> => {
    const before = forgotten;
    const webhooks = await load();
    if (webhooks.length === 0 || before !== forgotten) return webhooks;
    entries.delete(key);
    entries.set(key, { webhooks, until: now() + lifeMs });
    const oldest = entries.size > most ? entries.keys().next().value : undefined;
    if (oldest !== undefined) entries.delete(oldest);
    return webhooks;
  };

  return {
    get: (key, load) => {
      const found = entries.get(key);
      if (found && found.until > now()) return found.webhooks;
      const pending = reading.get(key);
      if (pending !== undefined) return pending;
      const started = read(key, load).finally(() => {
        if (reading.get(key) === started) reading.delete(key);
      });
      reading.set(key, started);
      return started;
    },
    forget: () => {
      forgotten++;
      entries.clear();
      reading.clear();
    },
  };
}
