import type {
  ApprovalSettings,
  ApprovalSettingsRequest,
  ApprovalWorkflow,
  DelegateRequest,
  Delegation,
  Page,
  PutApprovalWorkflowRequest,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface VersionOptions extends CallOptions {
  /** The version that was seen, 0 for none; another one now is PRECONDITION_FAILED. */
  readonly ifVersion?: number | undefined;
}

const ifMatch = ({ ifVersion }: VersionOptions = {}): { headers?: Record<string, string> } =>
  ifVersion === undefined ? {} : { headers: { "if-match": `"${ifVersion}"` } };

export const createApprovalWorkflows = (transport: Transport) => {
  const listing = (target: string, query: ListQuery, options?: CallOptions): Listing<ApprovalWorkflow> =>
    toListing(
      (cursor): Promise<Page<ApprovalWorkflow>> =>
        transport.json({ method: "GET", path: withQuery(target, { ...query, cursor }), options }),
      query.cursor,
    );
  return {
    /** By name. */
    list: (query: ListQuery = {}, options?: CallOptions): Listing<ApprovalWorkflow> =>
      listing("/v1/approval-workflows", query, options),
    get: (
      name: string,
      query: { readonly version?: number } = {},
      options?: CallOptions,
    ): Promise<ApprovalWorkflow> =>
      transport.json({
        method: "GET",
        path: withQuery(path`/v1/approval-workflows/${name}`, query),
        options,
      }),
    /** Makes it or its next version. Errors: WORKFLOW_INVALID, PRECONDITION_FAILED. */
    put: (
      name: string,
      request: PutApprovalWorkflowRequest,
      options?: VersionOptions,
    ): Promise<ApprovalWorkflow> =>
      transport.json({
        method: "PUT",
        path: path`/v1/approval-workflows/${name}`,
        body: request,
        options,
        ...ifMatch(options),
      }),
    /** Newest first. */
    versions: (name: string, query: ListQuery = {}, options?: CallOptions): Listing<ApprovalWorkflow> =>
      listing(path`/v1/approval-workflows/${name}/versions`, query, options),
    /** No new approval follows it; those under way go on. */
    retire: (name: string, options?: VersionOptions): Promise<ApprovalWorkflow> =>
      transport.json({
        method: "DELETE",
        path: path`/v1/approval-workflows/${name}`,
        options,
        ...ifMatch(options),
      }),
    settings: (options?: CallOptions): Promise<ApprovalSettings> =>
      transport.json({ method: "GET", path: "/v1/approval-settings", options }),
    setSettings: (request: ApprovalSettingsRequest, options?: VersionOptions): Promise<ApprovalSettings> =>
      transport.json({
        method: "PUT",
        path: "/v1/approval-settings",
        body: request,
        options,
        ...ifMatch(options),
      }),
  };
};

export const createDelegations = (transport: Transport) => ({
  /** Lends the right to vote. Errors: DELEGATION_INVALID, APPROVAL_REQUESTER. */
  create: (request: DelegateRequest, options?: CallOptions): Promise<Delegation> =>
    transport.json({ method: "POST", path: "/v1/approval-delegations", body: request, options }),
  /** Newest first. */
  list: (query: ListQuery = {}, options?: CallOptions): Listing<Delegation> =>
    toListing((cursor): Promise<Page<Delegation>> => {
      const target = withQuery("/v1/approval-delegations", { ...query, cursor });
      return transport.json({ method: "GET", path: target, options });
    }, query.cursor),
  revoke: (id: string, options?: CallOptions): Promise<Delegation> =>
    transport.json({ method: "DELETE", path: path`/v1/approval-delegations/${id}`, options }),
});
