import type { CallContext } from "#act/connector-kit";
import { sha256 } from "#platform/kernel";
import type { ClientIdentity } from "#platform/net";
import type { WebAuth } from "./schema.ts";

/** The client certificate of a connection, as the dialer takes it. */
export async function clientIdentity(
  spec: NonNullable<WebAuth["mtls"]>,
  context: Pick<CallContext, "secrets">,
): Promise<{ identity: ClientIdentity; secrets: string[] }> {
  const cert = await context.secrets(spec.certificate);
  const key = await context.secrets(spec.key);
  const passphrase = spec.passphrase === undefined ? undefined : await context.secrets(spec.passphrase);
  const { ca } = spec;
  const id = sha256(JSON.stringify([cert, key, passphrase ?? null, ca ?? null])).toString("hex");
  return {
    identity: { id, cert, key, passphrase, ca },
    secrets: [key, ...(passphrase === undefined ? [] : [passphrase])],
  };
}
