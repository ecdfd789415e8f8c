import type { CompiledFlow, Flows, FlowVersion } from "#orchestrate/flows";
import type { Runs } from "#orchestrate/runs";
import type { Caller } from "#platform/access";
import { requirePermission } from "#platform/access";
import type { Database, Tx } from "#platform/db";
import { type Clock, OarsError, parseId, sha256 } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import { isSignedBy, readSignature, type SignedHeaders, toleranceSeconds } from "./signature.ts";
import { dropOthers, findBySlug, listWebhooks, putWebhook, type Webhook } from "./store.ts";

export interface TriggersDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly vault: Pick<Vault, "readSecret">;
  readonly flows: Pick<Flows, "compiled">;
  readonly runs: Pick<Runs, "startTriggered">;
  readonly fault: (point: string) => void;
}

export interface Delivery {
  readonly slug: string;
  /** X-Tenant-ID, where the sender names the tenant. */
  readonly tenantHeader: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly raw: Uint8Array;
  readonly contentType: string | undefined;
  readonly query: Readonly<Record<string, unknown>>;
}

export interface Triggers {
  /**
   * Starts the slug's flow; the run is durable before the answer, and a delivery with the same webhook-id
   * answers with the first one's run. Errors: WEBHOOK_*, RUN_PARAMS_INVALID.
   */
  receive(delivery: Delivery): Promise<{ runId: string; duplicate: boolean }>;
  list(caller: Caller): Promise<Webhook[]>;
}

/** Tenants may use the same slug; a delivery that names no tenant is tried against so many. */
const maxCandidates = 20;

export function createTriggers(deps: TriggersDeps): Triggers {
  return {
    receive: (delivery) => receive(deps, delivery),
    list: (caller) => {
      requirePermission(caller, "webhooks:read");
      return deps.db.read(caller.tenantId, (db) => listWebhooks(db, caller.tenantId));
    },
  };
}

/** Points the version's slugs at it. Errors: WEBHOOK_SLUG_TAKEN. */
export async function registerWebhooks(
  tx: Tx,
  caller: Caller,
  version: Pick<FlowVersion, "name" | "version" | "hash">,
  flow: CompiledFlow,
): Promise<void> {
  const { tenantId, principalId } = caller;
  await dropOthers(
    tx,
    tenantId,
    version.name,
    flow.webhooks.map((w) => w.slug),
  );
  for (const { slug, secret } of flow.webhooks) {
    const row = {
      tenantId,
      slug,
      flow: version.name,
      version: version.version,
      flowHash: version.hash,
      secret,
      principalId,
    };
    const holder = await putWebhook(tx, row);
    if (holder !== undefined) throw new OarsError("WEBHOOK_SLUG_TAKEN", { slug, flow: holder });
  }
}

async function receive(
  deps: TriggersDeps,
  delivery: Delivery,
): Promise<{ runId: string; duplicate: boolean }> {
  const candidates = await candidatesFor(deps, delivery);
  if (candidates.length === 0) throw new OarsError("WEBHOOK_NOT_FOUND", { slug: delivery.slug });
  const signed = readSignature(delivery.headers, deps.clock.now().getTime());
  if (signed === "missing") throw new OarsError("WEBHOOK_SIGNATURE_MISSING");
  if (signed === "timestamp") throw new OarsError("WEBHOOK_TIMESTAMP", { seconds: toleranceSeconds });
  const webhook = await findSigner(deps, candidates, signed, delivery.raw);
  if (!webhook) throw new OarsError("WEBHOOK_SIGNATURE_INVALID");
  const flow = await deps.flows.compiled(webhook.tenantId, webhook.flowHash);
  const trigger = toTrigger(delivery, signed);
  const started = await deps.runs.startTriggered({
    tenantId: webhook.tenantId,
    principalId: webhook.principalId,
    flow,
    params: await paramsOf(flow, webhook.slug, trigger),
    trigger: {
      kind: "webhook",
      slug: webhook.slug,
      id: signed.id,
      receivedAt: deps.clock.now().toISOString(),
    },
    startKey: sha256(`webhook\n${webhook.slug}\n${signed.id}`),
  });
  deps.fault("triggers.after-accept");
  return started;
}

async function candidatesFor(deps: TriggersDeps, delivery: Delivery): Promise<Webhook[]> {
  if (delivery.tenantHeader === undefined) return findBySlug(deps.db, delivery.slug, null, maxCandidates);
  const tenantId = parseId("tenant", delivery.tenantHeader);
  return tenantId === undefined ? [] : findBySlug(deps.db, delivery.slug, tenantId, 1);
}

async function findSigner(
  deps: TriggersDeps,
  candidates: readonly Webhook[],
  signed: SignedHeaders,
  body: Uint8Array,
): Promise<Webhook | undefined> {
  for (const candidate of candidates) {
    const secret = await deps.vault.readSecret(candidate.tenantId, candidate.secret).catch(() => undefined); // an owner without its secret accepts nothing
    if (secret !== undefined && isSignedBy(secret, signed, body)) return candidate;
  }
  return undefined;
}

interface WebhookTrigger {
  readonly id: string;
  readonly text: string;
  readonly json: unknown;
  readonly query: Readonly<Record<string, unknown>>;
  readonly contentType: string | null;
}

function toTrigger(delivery: Delivery, signed: SignedHeaders): WebhookTrigger {
  const text = decodeText(delivery.raw);
  const isJson = /^application\/(?:[\w.+-]*\+)?json\b/i.test(delivery.contentType ?? "");
  return {
    id: signed.id,
    text,
    json: isJson ? parseJson(text) : null,
    query: delivery.query,
    contentType: delivery.contentType ?? null,
  };
}

function decodeText(raw: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch (cause) {
    throw new OarsError("REQUEST_MALFORMED", { reason: "it is not UTF-8 text" }, { cause });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new OarsError("REQUEST_MALFORMED", { reason: "it is not valid JSON" }, { cause });
  }
}

/** The trigger's own mapping, or the JSON object that was sent. */
async function paramsOf(
  flow: CompiledFlow,
  slug: string,
  trigger: WebhookTrigger,
): Promise<Record<string, unknown>> {
  const mapping = flow.webhooks.find((w) => w.slug === slug)?.params;
  const value = mapping
    ? await mapping.render({
        params: {},
        steps: {},
        run: { id: "", flow: flow.name, version: flow.version, startedAt: "" },
        trigger: { ...trigger },
      })
    : trigger.json;
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>; // checked
  throw new OarsError("REQUEST_MALFORMED", { reason: "the parameters must be a JSON object" });
}
