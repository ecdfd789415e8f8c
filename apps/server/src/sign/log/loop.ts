/**
 * When to sequence. A tenant that was woken is sequenced within 200 ms, together with everything that came
 * in the meantime. Every process sequences what it signs; every five seconds the database is asked for what one that
 * died has left behind.
 */
import { formatId } from "#platform/kernel";
import type { Logger } from "#platform/telemetry";
import type { Sequenced, Sequencer } from "./sequencer.ts";

export interface SequencerLoop {
  start(): void;
  /** Sequences what is waiting and stops. */
  stop(): Promise<void>;
  wake(tenantId: string): void;
}

const gatherMs = 150;
const pollMs = 5000;
/** How long a tenant rests after its log was refused, and after an error. */
const refusedMs = 60_000;
const failedMs = 5_000;

export interface LoopDeps {
  readonly sequencer: Sequencer;
  readonly log: Logger;
  /** Told how many logs this process refuses to sign, whenever that changes. */
  readonly onRefused?: (logs: number) => void;
  /** Told once of each log that is refused, until it is signed again. */
  readonly onInconsistent?: (tenantId: string, reason: string) => void;
}

export function createSequencerLoop({ sequencer, log, onRefused, onInconsistent }: LoopDeps): SequencerLoop {
  const refused = new Set<string>();
  const woken = new Set<string>();
  /** When a tenant may be sequenced again. */
  const resting = new Map<string, number>();
  let running: Promise<void> | undefined;
  let gather: NodeJS.Timeout | undefined;
  let poll: NodeJS.Timeout | undefined;
  let looking = Promise.resolve();

  const rest = (tenantId: string, ms: number, about: object, message: string): void => {
    resting.set(tenantId, Date.now() + ms);
    log.error({ tenantId: formatId("tenant", tenantId), ...about }, message);
  };

  const noteRefusal = (tenantId: string, result: Sequenced): void => {
    const before = refused.size;
    if (result.state === "refused") refused.add(tenantId);
    else if (result.state !== "busy") refused.delete(tenantId);
    if (refused.size === before) return;
    onRefused?.(refused.size);
    if (result.state === "refused") onInconsistent?.(tenantId, result.reason);
  };

  const sequenceOne = async (tenantId: string): Promise<void> => {
    if ((resting.get(tenantId) ?? 0) > Date.now()) return;
    resting.delete(tenantId);
    for (let more = true; more; ) {
      const result = await sequencer.sequence(tenantId);
      more = result.state === "signed" && result.more;
      if (result.state === "busy") woken.add(tenantId);
      noteRefusal(tenantId, result);
      if (result.state === "refused") {
        const message =
          "log refused: its tree differs from what was signed; no head is signed until an operator repairs it";
        rest(tenantId, refusedMs, { reason: result.reason }, message);
      }
      await new Promise(setImmediate); // the embedded database would keep timers and sockets waiting
    }
  };

  const pass = async (): Promise<void> => {
    const tenants = [...woken];
    woken.clear();
    for (const tenantId of tenants) {
      await sequenceOne(tenantId).catch((err: unknown) => {
        rest(tenantId, failedMs, { err }, "receipts could not be sequenced; trying again");
      });
    }
  };

  /** One pass at a time; what is woken meanwhile gathers for the next. */
  const run = (): Promise<void> => {
    clearTimeout(gather);
    gather = undefined;
    running ??= pass().finally(() => {
      running = undefined;
      if (woken.size > 0) schedule();
    });
    return running;
  };

  const schedule = (): void => {
    if (poll && !gather && !running) gather = setTimeout(() => void run(), gatherMs);
  };

  const look = async (): Promise<void> => {
    try {
      for (const tenantId of await sequencer.findWaiting()) woken.add(tenantId);
    } catch (err) {
      log.error({ err }, "the queue of receipts could not be read; trying again");
    }
    await run();
  };

  return {
    start: () => {
      const lookAgain = (): void => {
        looking = looking.then(look);
      };
      poll ??= setInterval(lookAgain, pollMs);
      lookAgain();
    },
    stop: async () => {
      clearInterval(poll);
      clearTimeout(gather);
      poll = undefined;
      gather = undefined;
      await looking;
      await running;
      await run();
    },
    wake: (tenantId) => {
      woken.add(tenantId);
      schedule();
    },
  };
}
