/** A receipt as a CloudEvent 1.0 in structured JSON. The event is not signed; the JWS in its data is. */
import type { ReceiptBody } from "./body.ts";
import { decodeBody } from "./jws.ts";

export const cloudEventsType = "application/cloudevents+json";

export interface ReceiptEvent {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly time: string;
  readonly subject?: string;
  readonly datacontenttype: "application/json";
  readonly traceparent?: string;
  readonly data: { readonly receipt: ReceiptBody; readonly jws: string };
}

const traceparent = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** `subject` is the action, else the run. `traceparent` follows the extension for distributed tracing. */
export function toCloudEvent(jws: string): ReceiptEvent {
  const receipt = decodeBody(jws);
  const subject = receipt.action?.id ?? receipt.run?.id;
  return {
    specversion: "1.0",
    id: receipt.rid,
    source: receipt.iss,
    type: `dev.oars.receipt.${receipt.typ}`,
    time: receipt.ts,
    ...(subject ? { subject } : {}),
    datacontenttype: "application/json",
    ...(receipt.trace && traceparent.test(receipt.trace) ? { traceparent: receipt.trace } : {}),
    data: { receipt, jws },
  };
}
