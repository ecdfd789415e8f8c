import type {
  BulkRunRequest,
  BulkRunResult,
  EditOutputRequest,
  ReplayRunRequest,
  RerunRequest,
  RetryRunRequest,
  Run,
  SkipStepRequest,
} from "@oars/contract";
import { path } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface RunCommandOptions extends CallOptions {
  /** The run's `etag` as it was last seen: 412 when it has moved since. */
  readonly ifMatch?: string | undefined;
}

const bulkMs = 120_000;

/** What an operator does to runs. Refusals are 409 and 412, with how the run stands in the error's `current`. */
export const createRunCommands = (transport: Transport) => {
  const post = <T>(
    target: string,
    body: object,
    { ifMatch, ...options }: RunCommandOptions = {},
  ): Promise<T> => {
    const headers = ifMatch === undefined ? {} : { "if-match": `"${ifMatch}"` };
    return transport.json({ method: "POST", path: target, body, headers, options });
  };
  return {
    /** Runs failed steps again, those that ended the run or the one that is named. Errors: RUN_STATE_CONFLICT, STEP_…. */
    retry: (id: string, request: RetryRunRequest, options?: RunCommandOptions): Promise<Run> =>
      post(path`/v1/runs/${id}/retry`, request, options),
    /** Errors: also STEP_NOT_SKIPPABLE. */
    skip: (id: string, request: SkipStepRequest, options?: RunCommandOptions): Promise<Run> =>
      post(path`/v1/runs/${id}/skip`, request, options),
    /** Errors: also STEP_IN_USE. */
    editOutput: (id: string, request: EditOutputRequest, options?: RunCommandOptions): Promise<Run> =>
      post(path`/v1/runs/${id}/edit-output`, request, options),
    /** With its sub-runs. Errors: RUN_ENDED. */
    abort: (id: string, reason: string, options?: RunCommandOptions): Promise<Run> =>
      post(path`/v1/runs/${id}/abort`, { reason }, options),
    pause: (id: string, reason: string, options?: RunCommandOptions): Promise<Run> =>
      post(path`/v1/runs/${id}/pause`, { reason }, options),
    resume: (id: string, reason: string, options?: RunCommandOptions): Promise<Run> =>
      post(path`/v1/runs/${id}/resume`, { reason }, options),
    /** A new run that begins at a step of this one. */
    rerun: (id: string, request: RerunRequest, options?: RunCommandOptions): Promise<Run> =>
      post(path`/v1/runs/${id}/rerun`, request, options),
    /** A new run from the beginning, with other parameters where they are given. */
    replay: (id: string, request: ReplayRunRequest, options?: RunCommandOptions): Promise<Run> =>
      post(path`/v1/runs/${id}/replay`, request, options),
    /** One command over all runs that match, at most 1,000 in one call: go on with `cursor`. Try `dryRun` first. */
    bulk: (request: BulkRunRequest, options: CallOptions = {}): Promise<BulkRunResult> =>
      post("/v1/runs/bulk", request, { ...options, timeoutMs: options.timeoutMs ?? bulkMs }),
  };
};
