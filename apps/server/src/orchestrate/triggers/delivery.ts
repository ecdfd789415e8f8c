/** A delivery as the flow reads it: `trigger.json`, `trigger.text`, `trigger.query`; and the parameters made of it. */
import { isUtf8 } from "node:buffer";
import type { CompiledFlow, CompiledWebhook } from "#orchestrate/flows";
import { OarsError } from "#platform/kernel";

export interface Delivery {
  readonly slug: string;
  /** X-Tenant-ID, where the sender names the tenant. */
  readonly tenantHeader: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly raw: Uint8Array;
  readonly contentType: string | undefined;
  readonly query: Readonly<Record<string, unknown>>;
  /** Asked once the sender is known: throws when its tenant has had its share. */
  readonly admit?: (tenantId: string) => void;
  /** Asked for where the answer waits for the run: aborts when the sender has gone away. */
  readonly gone?: () => AbortSignal;
}

interface WebhookTrigger extends Record<string, unknown> {
  readonly id: string;
  readonly text: string;
  readonly json: unknown;
  readonly query: Readonly<Record<string, unknown>>;
  readonly contentType: string | null;
}

/** Throws REQUEST_MALFORMED for what is not UTF-8, and for JSON that is none. */
export function toTrigger(delivery: Delivery, id: string): WebhookTrigger {
  const { raw, contentType = null, query } = delivery;
  const text = textOf(raw);
  return { id, text, json: isJson(contentType) ? parseJson(text) : null, query, contentType };
}

const isJson = (contentType: string | null): boolean =>
  contentType !== null &&
  (contentType === "application/json" || /^application\/(?:[\w.+-]*\+)?json\b/i.test(contentType));

function textOf(raw: Uint8Array): string {
  if (!isUtf8(raw)) throw new OarsError("REQUEST_MALFORMED", { reason: "it is not UTF-8 text" });
  return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new OarsError("REQUEST_MALFORMED", { reason: "it is not valid JSON" }, { cause });
  }
}

/** The webhook's own mapping, or the JSON object that was sent. Throws REQUEST_MALFORMED for anything but an object. */
export async function paramsOf(
  flow: CompiledFlow,
  webhook: CompiledWebhook | undefined,
  trigger: WebhookTrigger,
): Promise<Record<string, unknown>> {
  const rendered = webhook?.params
    ? webhook.params.render({
        params: {},
        steps: {},
        run: { id: "", flow: flow.name, version: flow.version, startedAt: "" },
        trigger,
      })
    : trigger.json;
  const value = rendered instanceof Promise ? await rendered : rendered;
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>; // checked
  throw new OarsError("REQUEST_MALFORMED", { reason: "the parameters must be a JSON object" });
}
