import type {
  Page,
  PolicyBundle,
  PolicyValidation,
  PolicyVersion,
  PolicyVersionDetail,
  PublishPolicyRequest,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

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
});
