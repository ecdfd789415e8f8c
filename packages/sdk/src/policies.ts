import type {
  CreateGrantRequest,
  ImportPolicyRequest,
  Page,
  PolicyBundle,
  PolicyDiff,
  PolicyExplanation,
  PolicyGrant,
  PolicyImport,
  PolicyReplay,
  PolicyRollback,
  PolicySettings,
  PolicySettingsRequest,
  PolicyShadowRequest,
  PolicyValidation,
  PolicyVersion,
  PolicyVersionDetail,
  PublishPolicyRequest,
  ReplayPolicyRequest,
  ShadowDifference,
  SimulatePolicyRequest,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";
import { type WaitOptions, waitFor } from "./wait.ts";

export const createPolicies = (transport: Transport) => ({
  /** Every problem of the bundle and its golden cases; resolves for invalid ones too. */
  validate: (bundle: PolicyBundle, options?: CallOptions): Promise<PolicyValidation> =>
    transport.json({ method: "POST", path: "/v1/policies/validate", body: bundle, options }),
  /** Drafts a bundle; it decides nothing until it is published. Errors: POLICY_INVALID, POLICY_CASES_FAILED. */
  create: (bundle: PolicyBundle, options?: CallOptions): Promise<PolicyVersion> =>
    transport.json({ method: "POST", path: "/v1/policies", body: bundle, options }),
  list: (query: ListQuery = {}, options?: CallOptions): Listing<PolicyVersion> =>
    toListing(
      (cursor): Promise<Page<PolicyVersion>> =>
        transport.json({ method: "GET", path: withQuery("/v1/policies", { ...query, cursor }), options }),
      query.cursor,
    ),
  get: (id: string, options?: CallOptions): Promise<PolicyVersionDetail> =>
    transport.json({ method: "GET", path: path`/v1/policies/${id}`, options }),
  /** Puts a bundle in force; of an older one this is the rollback. Errors: POLICY_ALREADY_PUBLISHED, PRECONDITION_FAILED. */
  publish: (id: string, request: PublishPolicyRequest = {}, options?: CallOptions): Promise<PolicyVersion> =>
    transport.json({ method: "POST", path: path`/v1/policies/${id}/publish`, body: request, options }),
  /** Puts a bundle in force that was in force before; without an id, the one before the present. Errors: POLICY_NEVER_PUBLISHED. */
  rollback: (
    id?: string,
    request: PublishPolicyRequest = {},
    options?: CallOptions,
  ): Promise<PolicyRollback> =>
    transport.json({
      method: "POST",
      path: id === undefined ? "/v1/policies/rollback" : path`/v1/policies/${id}/rollback`,
      body: request,
      options,
    }),
  /** What changed from `against` (the one in force when left out) to this one. */
  diff: (id: string, against?: string, options?: CallOptions): Promise<PolicyDiff> =>
    transport.json({
      method: "GET",
      path: withQuery(path`/v1/policies/${id}/diff`, { against }),
      options,
    }),
  /** The Cedar schema that bundles are checked against. */
  schema: (options?: CallOptions): Promise<{ schema: string }> =>
    transport.json({ method: "GET", path: "/v1/policies/schema", options }),
  /** Asks any version about one action that nobody proposed. Nothing is stored, nothing is sent. */
  simulate: (request: SimulatePolicyRequest, options?: CallOptions): Promise<PolicyExplanation> =>
    transport.json({ method: "POST", path: "/v1/policies/simulate", body: request, options }),
  /** Why an action was decided as it was, or would be by another version. Errors: ACTION_NOT_EXPLAINED. */
  explain: (actionId: string, policyId?: string, options?: CallOptions): Promise<PolicyExplanation> =>
    transport.json({
      method: "GET",
      path: withQuery(path`/v1/actions/${actionId}/explanation`, { policyId }),
      options,
    }),
  /** Rules of the simple form as a bundle; `dryRun: false` keeps it as a draft. */
  importRules: (request: ImportPolicyRequest, options?: CallOptions): Promise<PolicyImport> =>
    transport.json({ method: "POST", path: "/v1/policies/import", body: request, options }),
  /** Begins to ask a candidate about the decisions of the past. */
  startReplay: (
    id: string,
    request: ReplayPolicyRequest = {},
    options?: CallOptions,
  ): Promise<PolicyReplay> =>
    transport.json({ method: "POST", path: path`/v1/policies/${id}/replays`, body: request, options }),
  listReplays: (id: string, query: ListQuery = {}, options?: CallOptions): Listing<PolicyReplay> =>
    toListing(
      (cursor): Promise<Page<PolicyReplay>> =>
        transport.json({
          method: "GET",
          path: withQuery(path`/v1/policies/${id}/replays`, { ...query, cursor }),
          options,
        }),
      query.cursor,
    ),
  getReplay: (id: string, options?: CallOptions): Promise<PolicyReplay> =>
    transport.json({ method: "GET", path: path`/v1/policies/replays/${id}`, options }),
  /** Reads until the replay has completed or failed. Errors: CLIENT_WAIT_TIMEOUT. */
  waitReplay: (id: string, options: WaitOptions = {}): Promise<PolicyReplay> =>
    waitFor(
      `Replay ${id}`,
      (): Promise<PolicyReplay> =>
        transport.json({
          method: "GET",
          path: path`/v1/policies/replays/${id}`,
          options: { signal: options.signal },
        }),
      ({ state }) => state === "completed" || state === "failed",
      options,
    ),
  settings: (options?: CallOptions): Promise<PolicySettings> =>
    transport.json({ method: "GET", path: "/v1/policies/settings", options }),
  setSettings: (request: PolicySettingsRequest, options?: CallOptions): Promise<PolicySettings> =>
    transport.json({ method: "PUT", path: "/v1/policies/settings", body: request, options }),
  /** Sets a candidate beside the bundle in force; `policyId: null` takes it away. */
  setShadow: (request: PolicyShadowRequest, options?: CallOptions): Promise<PolicySettings> =>
    transport.json({ method: "PUT", path: "/v1/policies/shadow", body: request, options }),
  /** Actions that the candidate would have decided otherwise, newest first. */
  differences: (
    query: ListQuery & { policyId?: string | undefined } = {},
    options?: CallOptions,
  ): Listing<ShadowDifference> =>
    toListing(
      (cursor): Promise<Page<ShadowDifference>> =>
        transport.json({
          method: "GET",
          path: withQuery("/v1/policies/shadow/differences", { ...query, cursor }),
          options,
        }),
      query.cursor,
    ),
  /** Fills a template of the bundle in force. Errors: POLICY_TEMPLATE_NOT_FOUND, POLICY_GRANT_INVALID. */
  grant: (request: CreateGrantRequest, options?: CallOptions): Promise<PolicyGrant> =>
    transport.json({ method: "POST", path: "/v1/policies/grants", body: request, options }),
  listGrants: (query: ListQuery = {}, options?: CallOptions): Listing<PolicyGrant> =>
    toListing(
      (cursor): Promise<Page<PolicyGrant>> =>
        transport.json({
          method: "GET",
          path: withQuery("/v1/policies/grants", { ...query, cursor }),
          options,
        }),
      query.cursor,
    ),
  revokeGrant: (id: string, options?: CallOptions): Promise<PolicyGrant> =>
    transport.json({ method: "DELETE", path: path`/v1/policies/grants/${id}`, options }),
});
