/** What the policy was asked about an action, kept sealed with it, so that it can be asked again. */
import { z } from "zod";
import type { Decision, DecisionRequest, Effect } from "#act/policy";
import type { Vault } from "#platform/vault";
import { subjectOf } from "#sign/receipts";

export interface Asked {
  readonly request: DecisionRequest;
  /** What was decided then, by which version and policies. */
  readonly effect: Effect;
  readonly reasons: readonly string[];
  readonly version: string | null;
}

const purpose = (actionId: string): string => `action.asked:${actionId}`;

export async function sealAsked(
  vault: Pick<Vault, "subjectSealer">,
  actionId: string,
  { asked: request, effect, reasons, policy }: Decision,
): Promise<Uint8Array | null> {
  if (request === undefined) return null;
  const text = JSON.stringify({ v: 1, request, effect, reasons, version: policy.version });
  const { seal } = await vault.subjectSealer(request.tenantId, [subjectOf(request.principal)]);
  return seal(purpose(actionId), Buffer.from(text));
}

const shape = z.looseObject({
  v: z.literal(1),
  request: z.looseObject({ tenantId: z.string(), now: z.iso.datetime() }),
  effect: z.string(),
  reasons: z.array(z.string()),
  version: z.string().nullable(),
});

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
    const kept = shape.parse(JSON.parse(text));
    return { ...kept, request: { ...kept.request, now: new Date(kept.request.now) } } as unknown as Asked; // as sealAsked wrote it
  } catch {
    return undefined; // erased, or of another version: it counts as unreadable
  }
}
