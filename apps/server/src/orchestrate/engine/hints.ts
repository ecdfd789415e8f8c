/**
 * What processes tell each other of runs, so that nobody waits for a look: that some are queued which whoever says
 * it cannot take, and that a timer was set where none are fired. Nothing depends on their coming.
 */
import type { Database } from "#platform/db";

const queued = "runs_queued";
const timers = "run_timers";

export interface Hints {
  /** Runs were queued that this process does not take: of this tenant, or of whomever. */
  runsQueued(tenantId: string | undefined): void;
  timerSet(): void;
  listen(heard: Heard): Promise<void>;
  close(): Promise<void>;
}

export interface Heard {
  readonly onQueued: (tenantId: string | undefined) => void;
  readonly onTimer: () => void;
}

export function createHints(db: Pick<Database, "kind" | "listen" | "notify">, workerId: string): Hints {
  const self = workerId.slice(-12);
  const leave: (() => Promise<void>)[] = [];
  /** The embedded database has no other process. */
  const tell = (channel: string, payload: string): void => {
    if (db.kind === "postgres") db.notify(channel, `${self} ${payload}`);
  };
  return {
    runsQueued: (tenantId) => tell(queued, tenantId ?? ""),
    timerSet: () => tell(timers, ""),
    listen: async ({ onQueued, onTimer }) => {
      const fromOthers = (fn: (text: string) => void) => (payload: string) => {
        const [from, text = ""] = payload.split(" ");
        if (from !== self) fn(text);
      };
      leave.push(
        await db.listen(
          queued,
          fromOthers((tenantId) => onQueued(tenantId === "" ? undefined : tenantId)),
        ),
        await db.listen(timers, fromOthers(onTimer)),
      );
    },
    close: async () => {
      for (const fn of leave.splice(0)) await fn();
    },
  };
}
