import { OarsClientError } from "./errors.ts";
import { sleep } from "./sleep.ts";

export interface WaitOptions {
  /** How long to wait at most; without it, as long as it takes. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reads until `isSettled`, at first every 50 ms, then less often, at last every second. Throws CLIENT_WAIT_TIMEOUT. */
export async function waitFor<T>(
  what: string,
  read: () => Promise<T>,
  isSettled: (value: T) => boolean,
  options: WaitOptions,
): Promise<T> {
  const deadline =
    options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.timeoutMs;
  for (let pause = 50; ; pause = Math.min(1_000, pause * 1.5)) {
    const value = await read();
    if (isSettled(value)) return value;
    const left = deadline - Date.now();
    if (left <= 0) {
      throw new OarsClientError(
        "CLIENT_WAIT_TIMEOUT",
        `${what} is not settled after ${options.timeoutMs} ms`,
      );
    }
    await sleep(Math.min(left, pause * (0.8 + Math.random() * 0.4)), options.signal);
  }
}
