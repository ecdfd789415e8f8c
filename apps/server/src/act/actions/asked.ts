/** What the policy was asked about an action, kept sealed with it, so that it can be asked again. */
import { z } from "zod";
import type { Decision, DecisionRequest, Effect, FactSpec } from "#act/policy";
import type { Database } from "#platform/db";
import type { Vault } from "#platform/vault";
import { subjectOf } from "#sign/receipts";
import { findAskedAction } from "./store.ts";

export interface Asked extends AskedOnce {
  /** The same once more, oldest first: after votes, a release, a failure. */
  readonly later?: readonly AskedOnce[];
}

export interface AskedOnce {
  readonly request: DecisionRequest;
  /** The facts that the bundle was asked with; left out by what was kept before they were. */
  readonly facts?: readonly FactSpec[];
  /** What was decided then, by which version and policies. */
  readonly effect: Effect;
  readonly reasons: readonly string[];
  readonly version: string | null;
}

const purpose = (actionId: string): string => `action.asked:${actionId}`;

export async function sealAsked(
  vault: Pick<Vault, "subjectSealer">,
  actionId: string,
  decision: Decision,
): Promise<Uint8Array | null> {
  const asked = askedOf(decision);
  return asked === undefined ? null : seal(vault, actionId, asked);
}

async function seal(
  vault: Pick<Vault, "subjectSealer">,
  actionId: string,
  asked: Asked,
): Promise<Uint8Array> {
  const { tenantId, principal } = asked.request;
  const sealer = await vault.subjectSealer(tenantId, [subjectOf(principal)]);
  return sealer.seal(purpose(actionId), Buffer.from(JSON.stringify({ v: 1, ...asked })));
}

function askedOf({ asked: request, facts, effect, reasons, policy }: Decision): AskedOnce | undefined {
  if (request === undefined) return undefined;
  return { request, ...(facts ? { facts } : {}), effect, reasons, version: policy.version };
}

const mostLater = 8;

/** What was kept, with what was asked now. Null where nothing can be added: nothing was kept, or it is erased. */
export async function sealAskedAgain(
  deps: { readonly db: Database; readonly vault: Pick<Vault, "open" | "subjectSealer"> },
  action: { readonly tenantId: string; readonly id: string },
  decision: Decision,
): Promise<Uint8Array | null> {
  const { tenantId, id } = action;
  const found = await deps.db.read(tenantId, (db) => findAskedAction(db, tenantId, id));
  const kept = await openAsked(deps.vault, tenantId, id, found?.asked ?? null);
  const now = askedOf(decision);
  if (kept === undefined || now === undefined) return null;
  return seal(deps.vault, id, { ...kept, later: [...(kept.later ?? []), now].slice(-mostLater) });
}

const once = z.looseObject({
  request: z.looseObject({ tenantId: z.string(), now: z.iso.datetime().transform((at) => new Date(at)) }),
  effect: z.string(),
  reasons: z.array(z.string()),
  version: z.string().nullable(),
});
const shape = once.extend({ v: z.literal(1), later: z.array(once).optional() });

/** Undefined where nothing was kept, or nothing that this version reads. */
export async function openAsked(
  vault: Pick<Vault, "open">,
  tenantId: string,
  actionId: string,
  sealed: Uint8Array | null,
): Promise<Asked | undefined> {
  if (sealed === null) return undefined;
  try {
    const text = Buffer.from(await vault.open(tenantId, purpose(actionId), sealed)).toString("utf8");
    return shape.parse(JSON.parse(text)) as unknown as Asked; // as it was sealed here
  } catch {
    return undefined; // erased, or of another version: it counts as unreadable
  }
}
