import type { Json } from "#platform/kernel";
import { type EventSpec, type EventType, eventCatalogue, type Severity } from "./catalogue.ts";

/** Who did it. A caller of `platform/access` fits. */
export interface EventActor {
  readonly principalId: string;
  readonly principalKind: string;
  readonly principalName: string;
}

/** What it was done to: `id` as the API shows it, a TypeID or a name. */
export interface EventTarget {
  readonly kind: string;
  readonly id: string;
}

export interface EventDraft {
  /** Null, for counted types alone: whose it is cannot be told; then it is the first tenant's, the operator's. */
  readonly tenantId: string | null;
  readonly type: EventType;
  /** The catalogue's when absent, as with `outcome` and `message`. */
  readonly severity?: Severity;
  readonly outcome?: "success" | "failure";
  /** One sentence, without secrets. */
  readonly message?: string;
  readonly actor?: EventActor | null;
  readonly target?: EventTarget | null;
  /** Small and without secrets: it leaves the installation. */
  readonly details?: Readonly<Record<string, Json>>;
}

/** Where a request came from: the peer, or what a trusted proxy says of it. */
export interface EventOrigin {
  readonly requestId: string;
  readonly source: string;
}

export interface SecurityEvent {
  readonly tenantId: string;
  readonly id: string;
  readonly type: EventType;
  readonly severity: Severity;
  readonly outcome: "success" | "failure";
  readonly actor: { readonly id: string; readonly kind: string; readonly name: string } | null;
  readonly target: EventTarget | null;
  readonly requestId: string | null;
  readonly source: string | null;
  readonly message: string;
  readonly details: Readonly<Record<string, Json>>;
  /** Occurrences from `firstAt` to `lastAt`. */
  readonly count: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
}

const maxText = 500;
const maxDetails = 8_192;

/** The draft with everything that the catalogue and the request say, and nothing that is too long. */
export function filled(draft: EventDraft, origin: EventOrigin | undefined) {
  const spec: EventSpec = eventCatalogue[draft.type];
  const details = JSON.stringify(draft.details ?? {});
  return {
    type: draft.type,
    severity: draft.severity ?? spec.severity,
    outcome: draft.outcome ?? spec.outcome,
    actor_id: draft.actor?.principalId ?? null,
    actor_kind: draft.actor?.principalKind ?? null,
    actor_name: draft.actor?.principalName ?? null,
    target_kind: draft.target?.kind ?? null,
    target_id: draft.target?.id.slice(0, maxText) ?? null,
    request_id: origin?.requestId ?? null,
    source: origin?.source ?? null,
    message: storable(draft.message ?? spec.message),
    details: details.length > maxDetails || details.includes("\\u0000") ? '{"omitted":true}' : details,
  };
}

/** PostgreSQL keeps no U+0000. */
const storable = (text: string): string => text.replaceAll("\0", "").slice(0, maxText);
