import type {
  EvidenceExport,
  EvidenceExportFilter,
  EvidenceExportInFull,
  EvidenceExportRequest,
  EvidenceSchedule,
  EvidenceVerification,
  Page,
  VerifyEvidenceRequest,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing, wholeListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";
import { type WaitOptions, waitFor } from "./wait.ts";

export const createEvidence = (transport: Transport) => {
  const get = (id: string, options?: CallOptions): Promise<EvidenceExportInFull> =>
    transport.json({ method: "GET", path: path`/v1/evidence/exports/${id}`, options });
  return {
    /** Has a pack made in the background; see `wait`. */
    export: (request: EvidenceExportRequest, options?: CallOptions): Promise<EvidenceExport> =>
      transport.json({ method: "POST", path: "/v1/evidence/exports", body: request, options }),
    /** Newest first. */
    list: (query: ListQuery<EvidenceExportFilter> = {}, options?: CallOptions): Listing<EvidenceExport> =>
      toListing(
        (cursor): Promise<Page<EvidenceExport>> =>
          transport.json({
            method: "GET",
            path: withQuery("/v1/evidence/exports", { ...query, cursor }),
            options,
          }),
        query.cursor,
      ),
    get,
    /** The pack once it is ready or could not be made. */
    wait: (id: string, options: WaitOptions = {}): Promise<EvidenceExportInFull> =>
      waitFor(
        `evidence pack ${id}`,
        () => get(id, { signal: options.signal }),
        ({ state }) => state === "ready" || state === "failed",
        options,
      ),
    /** The archive as a stream of bytes. `signal` ends it at any time. */
    download: async (
      id: string,
      options: { readonly signal?: AbortSignal } = {},
    ): Promise<ReadableStream<Uint8Array>> => {
      const call = {
        method: "GET",
        path: path`/v1/evidence/exports/${id}/download`,
        accept: "application/zip",
      } as const;
      const answer = await transport.open(call, options.signal ?? new AbortController().signal);
      return answer.body ?? new Blob([]).stream();
    },
    /** By the server. Whoever does not trust it verifies the archive with `oars-verify`. */
    verify: (request: VerifyEvidenceRequest, options?: CallOptions): Promise<EvidenceVerification> =>
      transport.json({ method: "POST", path: "/v1/evidence/exports/verify", body: request, options }),
    /** Frameworks of which a pack is made each month. */
    schedules: (options?: CallOptions): Listing<EvidenceSchedule> =>
      wholeListing(() => transport.json({ method: "GET", path: "/v1/evidence/schedules", options })),
    schedule: (framework: string, options?: CallOptions): Promise<EvidenceSchedule> =>
      transport.json({ method: "PUT", path: "/v1/evidence/schedules", body: { framework }, options }),
    unschedule: (framework: string, options?: CallOptions): Promise<void> =>
      transport.json({ method: "DELETE", path: path`/v1/evidence/schedules/${framework}`, options }),
  };
};
