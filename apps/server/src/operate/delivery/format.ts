import type { ShownEvent } from "#platform/events";
import type { Format, Item, Payload } from "./domain.ts";
import { toCef } from "./format-cef.ts";
import { toOcsf } from "./format-ocsf.ts";

export interface Rendering {
  readonly format: Format;
  /** Of this server, as formats name it. */
  readonly version: string;
  /** Public address of this server. */
  readonly origin: string;
}

/** The item as a JSON value, or as a line of text for CEF. Alerts have one form. */
export function render({ payload }: Item, { format, version, origin }: Rendering): unknown {
  if (payload.kind === "alert") return payload.alert;
  const { event } = payload;
  if (format === "ocsf") return toOcsf(event, version);
  if (format === "cef") return toCef(event, version);
  if (format === "cloudevents") return toCloudEvent(event, origin);
  return event;
}

/** CloudEvents 1.0, JSON event format. */
const toCloudEvent = (event: ShownEvent, origin: string): Record<string, unknown> => ({
  specversion: "1.0",
  id: event.id,
  source: origin,
  type: `oars.${event.type}`,
  subject: event.target?.id ?? event.type,
  time: event.lastAt,
  datacontenttype: "application/json",
  data: event,
});

/** When it happened, in milliseconds since 1970. */
export const timeOf = (payload: Payload): number =>
  Date.parse(payload.kind === "alert" ? payload.alert.lastAt : payload.event.lastAt);

export const severityOf = (payload: Payload) =>
  payload.kind === "alert" ? payload.alert.severity : payload.event.severity;
