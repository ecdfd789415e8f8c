import type {
  Page,
  ReplayContext,
  Run,
  RunAtAGlance,
  RunEvent,
  RunFilter,
  RunItem,
  RunStatus,
  RunWithSteps,
  SendSignalRequest,
  Signal,
  StartRunRequest,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import { createRunCommands } from "./run-commands.ts";
import { type FollowOptions, followRun } from "./run-events.ts";
import type { CallOptions, Transport } from "./transport.ts";
import { type WaitOptions, waitFor } from "./wait.ts";

export interface RunWaitOptions extends WaitOptions {
  /** `settled`, the default: ended, or waiting for a person or a time. `ended`: nothing less. */
  readonly until?: "settled" | "ended" | undefined;
}

export interface RunStartOptions extends CallOptions {
  /**
   * How long the server may wait for the run's end before it answers, in milliseconds; it counts whole seconds, and
   * 60 at most. The run then has ended, or goes on as its status says.
   */
  readonly waitMs?: number | undefined;
}

/** What an answer takes besides the wait that the server was asked for. */
const answerMs = 10_000;

export const hasEnded = (status: RunStatus): boolean =>
  status === "completed" || status === "failed" || status === "aborted";

export const createRuns = (transport: Transport) => {
  const get = (id: string, options?: CallOptions): Promise<RunWithSteps> =>
    transport.json({ method: "GET", path: path`/v1/runs/${id}`, options });
  return {
    /**
     * The run is durable once this resolves. Errors: FLOW_NOT_FOUND, RUN_PARAMS_INVALID with every problem; with
     * `waitMs` also RUN_FAILED and RUN_ABORTED, with the id of the run.
     */
    start: (request: StartRunRequest, { waitMs, ...options }: RunStartOptions = {}): Promise<Run> => {
      const call = { method: "POST", path: "/v1/runs", body: request } as const;
      if (waitMs === undefined) return transport.json({ ...call, options });
      const seconds = Math.min(60, Math.ceil(waitMs / 1_000));
      const timeoutMs = options.timeoutMs ?? seconds * 1_000 + answerMs;
      const headers = { prefer: `wait=${seconds}` };
      return transport.json({ ...call, headers, options: { ...options, timeoutMs } });
    },
    /** With its steps. */
    get,
    /** Where it is, without parameters and outputs. */
    status: (id: string, options?: CallOptions): Promise<RunAtAGlance> =>
      transport.json({ method: "GET", path: path`/v1/runs/${id}/status`, options }),
    /** What a run like this one would begin with. */
    replayContext: (id: string, options?: CallOptions): Promise<ReplayContext> =>
      transport.json({ method: "GET", path: path`/v1/runs/${id}/replay`, options }),
    /** Newest first. */
    list: (query: ListQuery<RunFilter> = {}, options?: CallOptions): Listing<Run> =>
      toListing(
        (cursor): Promise<Page<Run>> =>
          transport.json({ method: "GET", path: withQuery("/v1/runs", { ...query, cursor }), options }),
        query.cursor,
      ),
    /** Items of a step with forEach, in their order. */
    items: (id: string, step: string, query: ListQuery = {}, options?: CallOptions): Listing<RunItem> =>
      toListing((cursor): Promise<Page<RunItem>> => {
        const target = withQuery(path`/v1/runs/${id}/steps/${step}/items`, { ...query, cursor });
        return transport.json({ method: "GET", path: target, options });
      }, query.cursor),
    ...createRunCommands(transport),
    /** Durable once this resolves. Errors: SIGNAL_UNKNOWN, SIGNAL_INVALID with every problem, RUN_ENDED. */
    signal: (id: string, request: SendSignalRequest, options?: CallOptions): Promise<Signal> =>
      transport.json({ method: "POST", path: path`/v1/runs/${id}/signals`, body: request, options }),
    /** What was sent to the run, newest first. */
    signals: (id: string, query: ListQuery = {}, options?: CallOptions): Listing<Signal> =>
      toListing((cursor): Promise<Page<Signal>> => {
        const target = withQuery(path`/v1/runs/${id}/signals`, { ...query, cursor });
        return transport.json({ method: "GET", path: target, options });
      }, query.cursor),
    /** The payload behind `{"$blob": {"sha256", "bytes"}}`, which stands for one over 32 KiB. Errors: BLOB_NOT_FOUND. */
    payload: (id: string, sha256: string, options?: CallOptions): Promise<unknown> =>
      transport.json({ method: "GET", path: path`/v1/runs/${id}/blobs/${sha256}`, options }),
    /**
     * Its history and then what happens, live, until it has ended. Broken connections are made anew; no
     * event is lost and none comes twice.
     */
    events: (id: string, options?: FollowOptions): AsyncIterable<RunEvent> =>
      followRun(transport, id, options),
    /** The events so far. */
    eventList: async (id: string, options?: CallOptions): Promise<RunEvent[]> => {
      const target = path`/v1/runs/${id}/events`;
      const { items } = await transport.json<{ items: RunEvent[] }>({ method: "GET", path: target, options });
      return items;
    },
    /** Resolves with the run as soon as it is settled. Throws CLIENT_WAIT_TIMEOUT; the run goes on. */
    wait: (id: string, options: RunWaitOptions = {}): Promise<RunWithSteps> =>
      waitFor(
        `run ${id}`,
        () => get(id, { signal: options.signal }),
        (run) => hasEnded(run.status) || (options.until !== "ended" && run.status === "waiting"),
        options,
      ),
  };
};
