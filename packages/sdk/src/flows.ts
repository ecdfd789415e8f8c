import type {
  FlowDefinition,
  FlowSummary,
  FlowValidation,
  FlowVersionDetail,
  Page,
  PublishedFlowVersion,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { Call, CallOptions, Transport } from "./transport.ts";

/** YAML (or JSON) text, whose problems come with lines, or the definition as an object. */
export type FlowText = string | FlowDefinition | Readonly<Record<string, unknown>>;

const bodyOf = (source: FlowText): Pick<Call, "body" | "contentType"> =>
  typeof source === "string" ? { body: source, contentType: "application/yaml" } : { body: source };

export const createFlows = (transport: Transport) => ({
  /** JSON Schema of definitions, for editors; needs no credentials. */
  schema: (options?: CallOptions): Promise<Record<string, unknown>> =>
    transport.json({ method: "GET", path: "/v1/schemas/flow.json", options }),
  /** Every problem at once; resolves for invalid definitions too. */
  validate: (source: FlowText, options?: CallOptions): Promise<FlowValidation> =>
    transport.json({ method: "POST", path: "/v1/flows/validate", ...bodyOf(source), options }),
  /** Publishes a version, which never changes. Errors: FLOW_INVALID, FLOW_VERSION_TAKEN, WEBHOOK_SLUG_TAKEN. */
  publish: (source: FlowText, options?: CallOptions): Promise<PublishedFlowVersion> =>
    transport.json({ method: "POST", path: "/v1/flows", ...bodyOf(source), options }),
  list: (query: ListQuery = {}, options?: CallOptions): Listing<FlowSummary> =>
    toListing(
      (cursor): Promise<Page<FlowSummary>> =>
        transport.json({ method: "GET", path: withQuery("/v1/flows", { ...query, cursor }), options }),
      query.cursor,
    ),
  /** The highest version when none is named. */
  get: (name: string, version?: string, options?: CallOptions): Promise<FlowVersionDetail> => {
    const target =
      version === undefined ? path`/v1/flows/${name}` : path`/v1/flows/${name}/versions/${version}`;
    return transport.json({ method: "GET", path: target, options });
  },
});
