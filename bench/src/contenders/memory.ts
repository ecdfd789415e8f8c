import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface Memory {
  /** Bytes that live objects take. */
  readonly heap: number;
  /** Bytes of the whole process, as the system sees it. */
  readonly resident: number;
}

/** Of this process, after what is not needed any more is gone. */
export async function memoryNow(): Promise<Memory> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void; // what the flag exposes
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((done) => setImmediate(done));
  }
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, resident: rss };
}
