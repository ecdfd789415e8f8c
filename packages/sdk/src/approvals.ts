import type {
  Approval,
  ApprovalComment,
  ApprovalDetail,
  ApprovalLink,
  ApprovalState,
  BreakGlassRequest,
  Challenge,
  ChallengeApprovalRequest,
  DecideApprovalRequest,
  EscalationScan,
  Page,
  ReviewApprovalRequest,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface ApprovalFilter {
  readonly state?: ApprovalState | undefined;
  /** `true`: only what the caller may vote on now. */
  readonly mine?: "true" | "false" | undefined;
  readonly tool?: string | undefined;
  readonly requester?: string | undefined;
  /** RFC 3339: only what expires or is escalated before then. */
  readonly dueBefore?: string | undefined;
  readonly batch?: string | undefined;
  readonly review?: "open" | undefined;
}

export const createApprovals = (transport: Transport) => {
  const post = <T>(target: string, body: unknown, options?: CallOptions): Promise<T> =>
    transport.json({ method: "POST", path: target, body, options });
  return {
    /** Newest first. */
    list: (query: ListQuery<ApprovalFilter> = {}, options?: CallOptions): Listing<Approval> =>
      toListing(
        (cursor): Promise<Page<Approval>> =>
          transport.json({ method: "GET", path: withQuery("/v1/approvals", { ...query, cursor }), options }),
        query.cursor,
      ),
    /** With all that its approvers must see. */
    get: (id: string, options?: CallOptions): Promise<ApprovalDetail> =>
      transport.json({ method: "GET", path: path`/v1/approvals/${id}`, options }),
    /**
     * Votes as the owner of the credential. `state` is `pending` while further votes are needed. Errors:
     * APPROVAL_CLOSED, APPROVAL_REQUESTER, APPROVAL_ROLE, APPROVAL_VOTED, STEP_UP_REQUIRED, STEP_UP_WRONG, STEP_UP_LOCKED.
     */
    decide: (id: string, request: DecideApprovalRequest, options?: CallOptions): Promise<Approval> =>
      post(path`/v1/approvals/${id}/decision`, request, options),
    /** A question for the caller's security key; its answer is the `assertion` of the decision. */
    challenge: (id: string, request: ChallengeApprovalRequest, options?: CallOptions): Promise<Challenge> =>
      post(path`/v1/approvals/${id}/challenge`, request, options),
    /** Runs the action without its votes. Errors: APPROVAL_BREAK_GLASS, APPROVAL_REQUESTER, APPROVAL_CLOSED, STEP_UP_*. */
    breakGlass: (id: string, request: BreakGlassRequest, options?: CallOptions): Promise<Approval> =>
      post(path`/v1/approvals/${id}/break-glass`, request, options),
    /** Looks at a broken glass. Errors: APPROVAL_REVIEW, APPROVAL_REVIEWER. */
    review: (id: string, request: ReviewApprovalRequest, options?: CallOptions): Promise<Approval> =>
      post(path`/v1/approvals/${id}/review`, request, options),
    comment: (id: string, text: string, options?: CallOptions): Promise<ApprovalComment> =>
      post(path`/v1/approvals/${id}/comments`, { text }, options),
    /** Oldest first. */
    comments: (id: string, query: ListQuery = {}, options?: CallOptions): Listing<ApprovalComment> =>
      toListing((cursor): Promise<Page<ApprovalComment>> => {
        const target = withQuery(path`/v1/approvals/${id}/comments`, { ...query, cursor });
        return transport.json({ method: "GET", path: target, options });
      }, query.cursor),
    /** A link for mail or chat; it gives no right. */
    link: (
      id: string,
      request: { readonly expiresInSeconds?: number } = {},
      options?: CallOptions,
    ): Promise<ApprovalLink> => post(path`/v1/approvals/${id}/link`, request, options),
    /** The approval that a link's token leads to. */
    openLink: (token: string, options?: CallOptions): Promise<ApprovalDetail> =>
      post("/v1/approval-links/open", { token }, options),
    /** Escalates what is overdue now, as the timer does. */
    escalate: (options?: CallOptions): Promise<EscalationScan> =>
      post("/v1/admin/approvals/escalations/scan", {}, options),
  };
};
