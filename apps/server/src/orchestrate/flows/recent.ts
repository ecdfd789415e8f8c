/** Keeps what was asked for most recently, at most `max` of it. Failed loads are not kept. */
export function createRecent<T>(max: number) {
  const kept = new Map<string, Promise<T>>();
  return {
    get size(): number {
      return kept.size;
    },
    /** The kept value, or that of `load`, which runs once however many ask at the same time. */
    get(key: string, load: () => Promise<T>): Promise<T> {
      const found = kept.get(key);
      if (found !== undefined) {
        kept.delete(key);
        kept.set(key, found);
        return found;
      }
      const value = load();
      kept.set(key, value);
      value.catch(() => {
        if (kept.get(key) === value) kept.delete(key);
      });
      if (kept.size > max) {
        for (const oldest of kept.keys()) {
          kept.delete(oldest);
          break;
        }
      }
      return value;
    },
  };
}
