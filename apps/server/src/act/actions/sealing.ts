/** What went in and came out of an action, sealed under the key of the person for whom it is: erased with them. */
import type { Caller } from "#platform/access";
import { isOarsError } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import { subjectOf } from "#sign/receipts";
import { openJson } from "./reopening.ts";
import type * as store from "./store.ts";

export async function sealFor(
  vault: Pick<Vault, "subjectSealer">,
  caller: Pick<Caller, "tenantId" | "principalId" | "ownerId">,
  purpose: string,
  plain: Uint8Array,
): Promise<Uint8Array> {
  const person = subjectOf({ id: caller.principalId, ownerId: caller.ownerId });
  const sealer = await vault.subjectSealer(caller.tenantId, [person]);
  return sealer.seal(purpose, plain);
}

/** What was erased with its person is shown as null. */
export async function openOrErased(
  deps: { readonly vault: Vault },
  a: store.StoredAction,
  part: "input" | "output",
  sealed: Uint8Array,
): Promise<unknown> {
  if (sealed.length === 0) return null;
  try {
    return await openJson(deps, a, part, sealed);
  } catch (error) {
    if (isOarsError(error) && error.code === "SECRET_ERASED") return null;
    throw error;
  }
}
