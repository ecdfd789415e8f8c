import type {
  DeadLetter,
  DeadLetterFilter,
  DeliveryFlushed,
  DeliveryStatus,
  DeliveryTarget,
  DeliveryTargetTest,
  Page,
  PutDeliveryTargetRequest,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing, wholeListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

/** Where security events and alerts go, and what did not get there. */
export const createDelivery = (transport: Transport) => ({
  targets: (options?: CallOptions): Listing<DeliveryTarget> =>
    wholeListing(() => transport.json({ method: "GET", path: "/v1/delivery-targets", options })),
  /** Creates or replaces. Secrets go in and never come out. Errors: TARGET_INVALID with every problem. */
  put: (name: string, target: PutDeliveryTargetRequest, options?: CallOptions): Promise<DeliveryTarget> =>
    transport.json({ method: "PUT", path: path`/v1/delivery-targets/${name}`, body: target, options }),
  get: (name: string, options?: CallOptions): Promise<DeliveryTarget> =>
    transport.json({ method: "GET", path: path`/v1/delivery-targets/${name}`, options }),
  /** Drops what is queued for it. */
  delete: (name: string, options?: CallOptions): Promise<void> =>
    transport.json({ method: "DELETE", path: path`/v1/delivery-targets/${name}`, options }),
  /** Sends a sample now. That the target refuses it is `ok: false`. */
  test: (name: string, options?: CallOptions): Promise<DeliveryTargetTest> =>
    transport.json({ method: "POST", path: path`/v1/delivery-targets/${name}/test`, options }),
  /** Queues for it and sends nothing, until it is resumed. */
  pause: (name: string, options?: CallOptions): Promise<DeliveryTarget> =>
    transport.json({ method: "POST", path: path`/v1/delivery-targets/${name}/pause`, options }),
  resume: (name: string, options?: CallOptions): Promise<DeliveryTarget> =>
    transport.json({ method: "POST", path: path`/v1/delivery-targets/${name}/resume`, options }),
  status: (options?: CallOptions): Promise<DeliveryStatus> =>
    transport.json({ method: "GET", path: "/v1/admin/siem/status", options }),
  /** Makes everything that waits for its next attempt due now. */
  flush: (options?: CallOptions): Promise<DeliveryFlushed> =>
    transport.json({ method: "POST", path: "/v1/admin/siem/flush", options }),
  /** What was given up, newest first. */
  deadLetters: (query: ListQuery<DeadLetterFilter> = {}, options?: CallOptions): Listing<DeadLetter> =>
    toListing((cursor): Promise<Page<DeadLetter>> => {
      const target = withQuery("/v1/admin/siem/dead-letters", { ...query, cursor });
      return transport.json({ method: "GET", path: target, options });
    }, query.cursor),
  /** Queues it again under the id that it had. Errors: DEAD_LETTER_CLOSED. */
  replay: (deadLetterId: string, options?: CallOptions): Promise<DeadLetter> => {
    const body = { deadLetterId };
    return transport.json({ method: "POST", path: "/v1/admin/siem/dead-letters/replay", body, options });
  },
  /** Closes it unsent. Errors: DEAD_LETTER_CLOSED. */
  resolve: (deadLetterId: string, reason: string, options?: CallOptions): Promise<DeadLetter> => {
    const body = { deadLetterId, reason };
    return transport.json({ method: "POST", path: "/v1/admin/siem/dead-letters/resolve", body, options });
  },
});
