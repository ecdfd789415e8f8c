import type {
  Action,
  ActionDetail,
  ActionState,
  ActionSummary,
  CancelActionRequest,
  JudgeActionRequest,
  Page,
  ResolveActionRequest,
  SubmitActionRequest,
  SubmittedAction,
  TimelineEntry,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";
import { type WaitOptions, waitFor } from "./wait.ts";

export interface ActionFilter {
  readonly state?: ActionState | undefined;
  /** Run id. */
  readonly run?: string | undefined;
  /** `<connection>/<operation>`. */
  readonly tool?: string | undefined;
  /** Of any connection. */
  readonly operation?: string | undefined;
  /** Id of the principal that acted. */
  readonly agent?: string | undefined;
  /** Id of the person who acted, or for whom it was acted. */
  readonly actor?: string | undefined;
  /** Exactly this one. */
  readonly target?: string | undefined;
  readonly policyVersion?: string | undefined;
  /** A policy that determined the decision. */
  readonly rule?: string | undefined;
  /** Proposed from then on, ISO 8601. */
  readonly from?: string | undefined;
  /** Proposed before then. */
  readonly to?: string | undefined;
  readonly text?: string | undefined;
}

export interface SubmitOptions extends CallOptions {
  /**
   * How long the server may wait for the outcome, also of a held action, in seconds, 60 at most; 0: not at all. Absent:
   * until what is allowed has ended.
   */
  readonly waitSeconds?: number | undefined;
}

export interface ActionCommandOptions extends CallOptions {
  /** The `etag` as it was last seen: 412 when the action has moved since. */
  readonly ifMatch?: string | undefined;
}

/** What the outside system may take when the request says nothing, and what the server adds to it. */
const effectMs = 30_000;
const aroundMs = 15_000;

const moving: ReadonlySet<ActionState> = new Set(["proposed", "approved", "executing"]);
const unended: ReadonlySet<ActionState> = new Set([...moving, "pending_approval", "quarantined", "in_doubt"]);

const preferenceOf = (waitSeconds: number | undefined): Record<string, string> => {
  if (waitSeconds === undefined) return {};
  return { prefer: waitSeconds > 0 ? `wait=${Math.ceil(waitSeconds)}` : "respond-async" };
};

export const createActions = (transport: Transport) => {
  const get = (id: string, options?: CallOptions): Promise<ActionDetail> =>
    transport.json({ method: "GET", path: path`/v1/actions/${id}`, options });
  const post = (
    id: string,
    command: string,
    body: object,
    { ifMatch, ...options }: ActionCommandOptions = {},
  ): Promise<Action> =>
    transport.json({
      method: "POST",
      path: path`/v1/actions/${id}/${command}`,
      body,
      headers: ifMatch === undefined ? {} : { "if-match": `"${ifMatch}"` },
      options,
    });
  const submit = (
    request: SubmitActionRequest,
    { waitSeconds, ...options }: SubmitOptions = {},
  ): Promise<SubmittedAction> => {
    const longest = Math.max(request.timeoutMs ?? effectMs, (waitSeconds ?? 0) * 1_000);
    return transport.json({
      method: "POST",
      path: "/v1/actions",
      body: request,
      headers: preferenceOf(waitSeconds),
      options: { ...options, timeoutMs: options.timeoutMs ?? longest + aroundMs },
    });
  };
  const until = (id: string, isOver: (state: ActionState) => boolean, options: WaitOptions) =>
    waitFor(
      `action ${id}`,
      () => get(id, { signal: options.signal }),
      (action) => isOver(action.state),
      options,
    );
  return {
    /**
     * Proposes an action and resolves whatever policy decides: read `state`. Safe to repeat: a lost answer
     * is fetched again under the same key and the outside system is not called twice. The call waits as
     * long as the outside system may take.
     */
    submit,
    /** Proposes it and resolves with its end, however many people it takes. Throws CLIENT_WAIT_TIMEOUT. */
    submitAndWait: async (
      request: SubmitActionRequest,
      options: Omit<SubmitOptions, "waitSeconds" | "timeoutMs"> & WaitOptions = {},
    ): Promise<ActionDetail> => {
      const { timeoutMs, ...call } = options;
      const submitted = await submit(request, call);
      return until(submitted.id, (state) => !unended.has(state), { timeoutMs, signal: options.signal });
    },
    /** With its timeline. */
    get,
    /** Everything that happened to it, oldest first. */
    timeline: async (id: string, options?: CallOptions): Promise<readonly TimelineEntry[]> =>
      (await get(id, options)).timeline,
    /** Newest first, without inputs and outputs. */
    list: (query: ListQuery<ActionFilter> = {}, options?: CallOptions): Listing<ActionSummary> =>
      toListing(
        (cursor): Promise<Page<ActionSummary>> =>
          transport.json({ method: "GET", path: withQuery("/v1/actions", { ...query, cursor }), options }),
        query.cursor,
      ),
    /** Calls it off, while it has not been sent. Errors: ACTION_STATE with how it stands, PRECONDITION_FAILED. */
    cancel: (
      id: string,
      request: CancelActionRequest = {},
      options?: ActionCommandOptions,
    ): Promise<Action> => post(id, "cancel", request, options),
    /** Lets a quarantined action go on, as policy says now. Errors: ACTION_REQUESTER, ACTION_STATE, TOOL_UNREVIEWED. */
    release: (id: string, request: JudgeActionRequest, options?: ActionCommandOptions): Promise<Action> =>
      post(id, "release", request, options),
    /** Ends a quarantined action. */
    reject: (id: string, request: JudgeActionRequest, options?: ActionCommandOptions): Promise<Action> =>
      post(id, "reject", request, options),
    /** Says what became of an action in doubt. Errors: ACTION_STATE. */
    resolve: (id: string, request: ResolveActionRequest, options?: CallOptions): Promise<Action> =>
      post(id, "resolve", request, options),
    /** Resolves when it has ended or a person must act: `pending_approval`, `quarantined`, `in_doubt`. Throws CLIENT_WAIT_TIMEOUT. */
    wait: (id: string, options: WaitOptions = {}): Promise<ActionDetail> =>
      until(id, (state) => !moving.has(state), options),
  };
};
