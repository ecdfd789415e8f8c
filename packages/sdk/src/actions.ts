import type {
  Action,
  ActionState,
  Page,
  ResolveActionRequest,
  SubmitActionRequest,
  SubmittedAction,
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
}

/** What the outside system may take when the request says nothing, and what the server adds to it. */
const effectMs = 30_000;
const aroundMs = 15_000;

const moving: ReadonlySet<ActionState> = new Set(["proposed", "approved", "executing"]);

export const createActions = (transport: Transport) => {
  const get = (id: string, options?: CallOptions): Promise<Action> =>
    transport.json({ method: "GET", path: path`/v1/actions/${id}`, options });
  return {
    /**
     * Proposes an action and resolves whatever policy decides: read `state`. Safe to repeat: a lost answer
     * is fetched again under the same key and the outside system is not called twice. The call waits as
     * long as the outside system may take.
     */
    submit: (request: SubmitActionRequest, options?: CallOptions): Promise<SubmittedAction> => {
      const timeoutMs = (request.timeoutMs ?? effectMs) + aroundMs;
      return transport.json({
        method: "POST",
        path: "/v1/actions",
        body: request,
        options: { ...options, timeoutMs: options?.timeoutMs ?? timeoutMs },
      });
    },
    get,
    /** Newest first. */
    list: (query: ListQuery<ActionFilter> = {}, options?: CallOptions): Listing<Action> =>
      toListing(
        (cursor): Promise<Page<Action>> =>
          transport.json({ method: "GET", path: withQuery("/v1/actions", { ...query, cursor }), options }),
        query.cursor,
      ),
    /** Says what became of an action in doubt. Errors: ACTION_STATE. */
    resolve: (id: string, request: ResolveActionRequest, options?: CallOptions): Promise<Action> =>
      transport.json({ method: "POST", path: path`/v1/actions/${id}/resolve`, body: request, options }),
    /** Resolves when it has ended or a person must act: `pending_approval`, `in_doubt`. Throws CLIENT_WAIT_TIMEOUT. */
    wait: (id: string, options: WaitOptions = {}): Promise<Action> =>
      waitFor(
        `action ${id}`,
        () => get(id, { signal: options.signal }),
        (action) => !moving.has(action.state),
        options,
      ),
  };
};
