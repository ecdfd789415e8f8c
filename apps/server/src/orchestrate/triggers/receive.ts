/** A signed delivery, from its headers to the run that it started and, where its webhook says so, the run's end. */
import type { CompiledFlow, CompiledWebhook } from "#orchestrate/flows";
import type { TriggeredAnswer } from "#orchestrate/runs";
import { OarsError, parseId, sha256 } from "#platform/kernel";
import { type Delivery, paramsOf, toTrigger } from "./delivery.ts";
import type { TriggersDeps } from "./service.ts";
import { isSignedBy, readSignature, type SignedHeaders, toleranceSeconds } from "./signature.ts";
import type { SlugCache } from "./slug-cache.ts";
import { findBySlug, type Webhook } from "./store.ts";

/** Tenants may use the same slug; a delivery that names no tenant is tried against so many. */
const maxCandidates = 20;

/** What a webhook starts. */
export interface Target {
  readonly flow: CompiledFlow;
  readonly compiled: CompiledWebhook | undefined;
}

/** What was found a moment ago. */
export interface Known {
  readonly slugs: SlugCache;
  /** For as long as the webhook is in use. */
  readonly targets: WeakMap<Webhook, Target>;
}

export async function receive(
  deps: TriggersDeps,
  { slugs, targets }: Known,
  delivery: Delivery,
): Promise<TriggeredAnswer> {
  const found = candidatesFor(deps, slugs, delivery);
  const candidates = found instanceof Promise ? await found : found;
  const { slug } = delivery;
  if (candidates.length === 0) throw new OarsError("WEBHOOK_NOT_FOUND", { slug });
  if (candidates.every(({ retiredAt }) => retiredAt !== null)) throw new OarsError("WEBHOOK_GONE", { slug });
  const now = deps.clock.now();
  const signed = readSignature(delivery.headers, now.getTime());
  if (signed === "missing") throw new OarsError("WEBHOOK_SIGNATURE_MISSING");
  if (signed === "timestamp") throw new OarsError("WEBHOOK_TIMESTAMP", { seconds: toleranceSeconds });
  const webhook = await findSigner(deps, candidates, signed, delivery.raw);
  if (!webhook) throw new OarsError("WEBHOOK_SIGNATURE_INVALID");
  if (webhook.retiredAt !== null) throw new OarsError("WEBHOOK_GONE", { slug });
  delivery.admit?.(webhook.tenantId);
  const target = targets.get(webhook) ?? (await findTarget(deps, webhook));
  targets.set(webhook, target);
  const answer = await start(deps, { webhook, ...target, signed, delivery, now });
  deps.fault("triggers.after-accept");
  return answer;
}

async function findTarget(deps: TriggersDeps, { tenantId, flowHash, slug }: Webhook): Promise<Target> {
  const flow = await deps.flows.compiled(tenantId, flowHash);
  return { flow, compiled: flow.webhooks.find((w) => w.slug === slug) };
}

interface Accepted extends Target {
  readonly webhook: Webhook;
  readonly signed: SignedHeaders;
  readonly delivery: Delivery;
  readonly now: Date;
}

async function start(deps: TriggersDeps, accepted: Accepted): Promise<TriggeredAnswer> {
  const { webhook, flow, compiled, signed, delivery, now } = accepted;
  const { slug, tenantId, principalId } = webhook;
  const { id } = signed;
  const params = await paramsOf(flow, compiled, toTrigger(delivery, id));
  const trigger = { kind: "webhook", slug, id, receivedAt: now.toISOString() };
  const startKey = sha256(`webhook\n${slug}\n${id}`);
  const begun = { tenantId, principalId, flow, params, trigger, startKey };
  if (compiled?.respond.mode === "sync")
    return deps.runs.answerTriggered(begun, {
      withinMs: compiled.respond.timeoutMs,
      gone: delivery.gone?.(),
    });
  return { ...(await deps.runs.startTriggered(begun)), end: null };
}

function candidatesFor(
  deps: TriggersDeps,
  slugs: SlugCache,
  { slug, tenantHeader }: Delivery,
): readonly Webhook[] | Promise<readonly Webhook[]> {
  if (tenantHeader === undefined)
    return slugs.get(slug, () => findBySlug(deps.db, slug, null, maxCandidates));
  const tenantId = parseId("tenant", tenantHeader);
  if (tenantId === undefined) return [];
  return slugs.get(`${tenantId}/${slug}`, () => findBySlug(deps.db, slug, tenantId, 1));
}

async function findSigner(
  deps: TriggersDeps,
  candidates: readonly Webhook[],
  signed: SignedHeaders,
  body: Uint8Array,
): Promise<Webhook | undefined> {
  for (const candidate of candidates) {
    const secret = await deps.vault
      .readSecret(candidate.tenantId, candidate.secret, { principalId: null, purpose: "webhook" })
      .catch(() => undefined); // an owner without its secret accepts nothing
    if (secret !== undefined && isSignedBy(secret, signed, body)) return candidate;
  }
  return undefined;
}
