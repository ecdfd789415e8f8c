/** Wires the formats of other tools to the tenants' keys. */
import { sign } from "node:crypto";
import { createInterop, type Interop, type InteropDeps } from "#sign/interop";
import { createSigners, type Signer, type SignersDeps } from "#sign/receipts";

export function composeInterop(deps: SignersDeps & Pick<InteropDeps, "receipts" | "log">): Interop {
  const signers = createSigners(deps);
  const keyOf = ({ kid, privateKey }: Signer) => ({
    kid,
    sign: (message: Uint8Array): Uint8Array => sign(null, message, privateKey),
  });
  return createInterop({
    receipts: deps.receipts,
    log: deps.log,
    keys: async (tenantId) => {
      const { receipt, log } = await signers.get(tenantId);
      return { receipt: keyOf(receipt), log: keyOf(log) };
    },
  });
}
