import type {
  Page,
  PatchToolRequest,
  PutToolAllowanceRequest,
  ReviewToolRequest,
  Tool,
  ToolAllowance,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface ToolFilter {
  readonly connection?: string | undefined;
  readonly status?: Tool["status"] | undefined;
  /** In the name, the title or the description. */
  readonly text?: string | undefined;
}

export interface ToolChangeOptions extends CallOptions {
  /** The `etag` as it was last seen: 412 when it has changed since. */
  readonly ifMatch?: string | undefined;
}

const under = (ifMatch: string | undefined): Record<string, string> =>
  ifMatch === undefined ? {} : { "if-match": `"${ifMatch}"` };

/** What there is to act with: every operation of every connection, named `<connection>/<operation>`. */
export const createTools = (transport: Transport) => ({
  /** By name. */
  list: (query: ListQuery<ToolFilter> = {}, options?: CallOptions): Listing<Tool> =>
    toListing(
      (cursor): Promise<Page<Tool>> =>
        transport.json({ method: "GET", path: withQuery("/v1/tools", { ...query, cursor }), options }),
      query.cursor,
    ),
  get: (name: string, options?: CallOptions): Promise<Tool> =>
    transport.json({ method: "GET", path: path`/v1/tools/${name}`, options }),
  /** Classifies it. Errors: REQUEST_INVALID where it comes to look more harmless without a reason. */
  classify: (
    name: string,
    request: PatchToolRequest,
    { ifMatch, ...options }: ToolChangeOptions = {},
  ): Promise<Tool> =>
    transport.json({
      method: "PATCH",
      path: path`/v1/tools/${name}`,
      body: request,
      headers: under(ifMatch),
      options,
    }),
  /** Accepts the definition whose digest is given. Errors: PRECONDITION_FAILED when it is another one by now. */
  review: (name: string, request: ReviewToolRequest, options?: CallOptions): Promise<Tool> =>
    transport.json({ method: "POST", path: path`/v1/tools/${name}/review`, body: request, options }),
  /** Which tools the tenant may use. */
  allowance: (options?: CallOptions): Promise<ToolAllowance> =>
    transport.json({ method: "GET", path: "/v1/tool-allowance", options }),
  allow: (
    request: PutToolAllowanceRequest,
    { ifMatch, ...options }: ToolChangeOptions = {},
  ): Promise<ToolAllowance> =>
    transport.json({
      method: "PUT",
      path: "/v1/tool-allowance",
      body: request,
      headers: under(ifMatch),
      options,
    }),
});
