import type {
  ComplianceFramework,
  ControlMapping,
  ControlMappingRequest,
  CoverageScan,
  CoverageScanRequest,
} from "@oars/contract";
import { type Listing, wholeListing } from "./listing.ts";
import { withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createCompliance = (transport: Transport) => ({
  /** Frameworks that the server knows, with their controls. */
  frameworks: (options?: CallOptions): Listing<ComplianceFramework> =>
    wholeListing(() => transport.json({ method: "GET", path: "/v1/admin/compliance/frameworks", options })),
  /** Mappings in force; with `framework` and `controlId` every version of one, newest first. */
  mappings: (
    query: { readonly framework?: string; readonly controlId?: string } = {},
    options?: CallOptions,
  ): Listing<ControlMapping> =>
    wholeListing(() =>
      transport.json({
        method: "GET",
        path: withQuery("/v1/admin/compliance/control-mappings", { ...query }),
        options,
      }),
    ),
  /** A new version of a mapping, in force at once. */
  map: (request: ControlMappingRequest, options?: CallOptions): Promise<ControlMapping> =>
    transport.json({
      method: "POST",
      path: "/v1/admin/compliance/control-mappings",
      body: request,
      options,
    }),
  /** How far the receipts of a time cover a framework. */
  coverage: (request: CoverageScanRequest, options?: CallOptions): Promise<CoverageScan> =>
    transport.json({ method: "POST", path: "/v1/admin/compliance/coverage/scan", body: request, options }),
});
