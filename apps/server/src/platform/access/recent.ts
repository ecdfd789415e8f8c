/**
 * What was read a moment ago. A value is used for `lifeMs` and read once however many ask for it meanwhile.
 * `drop` forgets at once: a read that was under way at that moment is not kept. Absent values and failures are
 * not kept either, so strangers cannot fill the memory.
 */
export interface Recent<V> {
  get(key: string, load: () => Promise<V | undefined>): V | Promise<V | undefined>;
  drop(hits: (value: V) => boolean): void;
}

interface Entry<V> {
  readonly value: V;
  readonly from: number;
}

export function createRecent<V extends object>(deps: {
  readonly lifeMs: number;
  readonly most: number;
  readonly now: () => number;
}): Recent<V> {
  const entries = new Map<string, Entry<V>>();
  const reading = new Map<string, Promise<V | undefined>>();
  let drops = 0;

  const keep = (key: string, value: V): void => {
    entries.delete(key);
    const oldest = entries.size >= deps.most ? entries.keys().next().value : undefined;
    if (oldest !== undefined) entries.delete(oldest);
    entries.set(key, { value, from: deps.now() });
  };

  const read = async (key: string, load: () => Promise<V | undefined>): Promise<V | undefined> => {
    const before = drops;
    const value = await load();
    if (value !== undefined && before === drops) keep(key, value);
    return value;
  };

  return {
    get: (key, load) => {
      const found = entries.get(key);
      const age = found ? deps.now() - found.from : -1;
      if (found && age >= 0 && age < deps.lifeMs) return found.value;
      const under = reading.get(key);
      if (under !== undefined) return under;
      const started = read(key, load).finally(() => {
        if (reading.get(key) === started) reading.delete(key);
      });
      reading.set(key, started);
      return started;
    },
    drop: (hits) => {
      drops += 1;
      reading.clear(); // whoever asks from now on reads what is there now
      for (const [key, entry] of entries) if (hits(entry.value)) entries.delete(key);
    },
  };
}
