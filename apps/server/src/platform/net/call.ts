import { type NetError, netError } from "./failure.ts";

/**
 * The life of one request over all its lookups, connection attempts and redirects: one total timeout, one
 * abort signal, and whether any byte has left. Whatever waits registers in `onStop`; the first stop wins.
 */
export class Call {
  /** True from the moment the first byte of any attempt may have left this process. */
  sent = false;
  /** The status of the answer that has begun, if one has. */
  httpStatus: number | undefined;
  stopped: NetError | undefined;
  onStop: ((error: NetError) => void) | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;
  readonly #aborted: () => void;

  constructor(host: string, timeoutMs: number, signal: AbortSignal | undefined) {
    const params = { host, ms: timeoutMs };
    this.#timer = setTimeout(() => this.#stop("NET_TIMEOUT", params), timeoutMs);
    this.#signal = signal;
    this.#aborted = () => this.#stop("NET_ABORTED", { host });
    if (signal?.aborted) this.#aborted();
    else signal?.addEventListener("abort", this.#aborted, { once: true });
  }

  /** `work`, or the stop of this call, whichever comes first. */
  async orStop<T>(work: Promise<T>): Promise<T> {
    try {
      return await Promise.race([
        work,
        new Promise<never>((_, reject) => {
          if (this.stopped !== undefined) reject(this.stopped);
          else this.onStop = reject;
        }),
      ]);
    } finally {
      this.onStop = undefined;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#aborted);
  }

  #stop(code: "NET_TIMEOUT" | "NET_ABORTED", params: Record<string, string | number>): void {
    if (this.stopped !== undefined) return;
    this.stopped = netError(code, params, { sent: this.sent, httpStatus: this.httpStatus });
    this.onStop?.(this.stopped);
  }
}
