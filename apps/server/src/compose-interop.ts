/** Wires the formats of other tools to the tenants' keys. */
import { createInterop, type Interop, type InteropDeps } from "#sign/interop";
import type { Signers } from "#sign/receipts";

export const composeInterop = (
  deps: Pick<InteropDeps, "receipts" | "log"> & { readonly signers: Signers },
): Interop =>
  createInterop({
    receipts: deps.receipts,
    log: deps.log,
    keys: async (tenantId) => {
      const { receipt, log } = await deps.signers.get(tenantId);
      return { receipt, log: log[0] };
    },
  });
