/**
 * What processes tell each other of runs, so that nobody waits for a look: that some are queued which whoever says
 * it cannot take, that a timer was set where none are fired, that a run is followed, that one has news. Nothing
 * depends on their coming.
 */
import type { Database } from "#platform/db";

const channels = {
  queued: "runs_queued",
  timer: "run_timers",
  watched: "runs_watched",
  news: "run_news",
} as const;

type Kind = keyof typeof channels;
/** What is done with the word of another process; "" for something unknown of that kind. */
export type Heard = Partial<Readonly<Record<Kind, (about: string) => void>>>;

export interface Hints {
  /** Runs were queued that this process does not take: of this tenant, or of whomever. */
  runsQueued(tenantId: string | undefined): void;
  timerSet(): void;
  /** This process follows the run. */
  runWatched(runId: string): void;
  /** A run that another process follows has news. */
  runNews(runId: string): void;
  /** Listens until what it answers is called. */
  listen(heard: Heard): Promise<() => Promise<void>>;
}

export function createHints(db: Pick<Database, "kind" | "listen" | "notify">, workerId: string): Hints {
  const self = workerId.slice(-12);
  /** The embedded database has no other process. */
  const tell = (kind: Kind, about = ""): void => {
    if (db.kind === "postgres") db.notify(channels[kind], `${self} ${about}`);
  };
  return {
    runsQueued: (tenantId) => tell("queued", tenantId),
    timerSet: () => tell("timer"),
    runWatched: (runId) => tell("watched", runId),
    runNews: (runId) => tell("news", runId),
    listen: async (heard) => {
      const leave: (() => Promise<void>)[] = [];
      for (const kind of Object.keys(channels) as Kind[]) {
        // the keys of the table
        const fn = heard[kind];
        if (!fn) continue;
        const fromOthers = (payload: string): void => {
          const [from, about = ""] = payload.split(" ");
          if (from !== self) fn(about);
        };
        leave.push(await db.listen(channels[kind], fromOthers));
      }
      return async () => {
        for (const stop of leave) await stop();
      };
    },
  };
}
