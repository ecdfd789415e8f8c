import type {
  Erasure,
  LegalHold,
  PlaceHoldRequest,
  RetentionRule,
  RetentionRules,
  SubjectExport,
} from "@oars/contract";
import { type Listing, wholeListing } from "./listing.ts";
import { path } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createPrivacy = (transport: Transport) => ({
  /** Legal holds, newest first, released ones too. */
  holds: (options?: CallOptions): Listing<LegalHold> =>
    wholeListing(() => transport.json({ method: "GET", path: "/v1/privacy/holds", options })),
  placeHold: (hold: PlaceHoldRequest, options?: CallOptions): Promise<LegalHold> =>
    transport.json({ method: "POST", path: "/v1/privacy/holds", body: hold, options }),
  releaseHold: (id: string, reason: string, options?: CallOptions): Promise<LegalHold> =>
    transport.json({
      method: "POST",
      path: path`/v1/privacy/holds/${id}/release`,
      body: { reason },
      options,
    }),
  retention: (options?: CallOptions): Promise<RetentionRules> =>
    transport.json({ method: "GET", path: "/v1/privacy/retention", options }),
  /** Replaces all rules. */
  setRetention: (rules: readonly RetentionRule[], options?: CallOptions): Promise<RetentionRules> =>
    transport.json({ method: "PUT", path: "/v1/privacy/retention", body: { rules }, options }),
  erasures: (options?: CallOptions): Listing<Erasure> =>
    wholeListing(() => transport.json({ method: "GET", path: "/v1/privacy/erasures", options })),
  erasure: (id: string, options?: CallOptions): Promise<Erasure> =>
    transport.json({ method: "GET", path: path`/v1/privacy/erasures/${id}`, options }),
  /** Erases a person for good. Rejects with PRIVACY_HELD under a legal hold, PRIVACY_SUBJECT_BUSY while work is under way. */
  erase: (subject: string, options?: CallOptions): Promise<Erasure> =>
    transport.json({ method: "POST", path: "/v1/privacy/erasures", body: { subject }, options }),
  /** One page of what is held about a person; go on with its `nextCursor`. */
  export: (subject: string, cursor?: string, options?: CallOptions): Promise<SubjectExport> =>
    transport.json({
      method: "POST",
      path: "/v1/privacy/exports",
      body: cursor === undefined ? { subject } : { subject, cursor },
      options,
    }),
});
