/** The vault with what wraps its keys, and every table that it seals. */
import { sealedActionAsked, sealedActionInputs, sealedActionOutputs } from "#act/actions";
import { sealedGrants } from "#act/connector-auth";
import { sealedFactors } from "#act/factors";
import { sealedTargets } from "#operate/delivery";
import type { Config, Keys } from "#platform/config";
import type { Database } from "#platform/db";
import { createDialer } from "#platform/net";
import {
  createVault,
  firstOf,
  type KeyService,
  localKeys,
  type SealedTable,
  sealedSecrets,
  sealedSubjectKeys,
  transitKeys,
  type Vault,
} from "#platform/vault";
import { sealedDisclosures, sealedSigningKeys } from "#sign/receipts";

/** Answers under Idempotency-Keys and consents under way are not among them: they end by themselves within 25 hours. */
export const sealedTables: readonly SealedTable[] = [
  sealedSecrets,
  sealedSubjectKeys,
  sealedSigningKeys,
  sealedGrants,
  sealedActionInputs,
  sealedActionOutputs,
  sealedActionAsked,
  sealedFactors,
  sealedTargets,
  sealedDisclosures,
];

export interface OpenedVault {
  readonly vault: Vault;
  readonly keyService: KeyService;
  close(): Promise<void>;
}

/** Throws CONFIG_INVALID when there are data that none of the configured keys opens. */
export async function openVault(
  db: Database,
  config: Pick<Config, "kms">,
  keys: Pick<Keys, "dataEncryption">,
  onError?: (error: unknown) => void,
): Promise<OpenedVault> {
  const { more, transit, cacheMs } = config.kms;
  const local = localKeys(
    keys.dataEncryption.reveal(),
    more.map((key) => key.reveal()),
  );
  const url = transit && new URL(transit.url);
  const dialer =
    url &&
    createDialer({
      allow: ["0.0.0.0/0", "::/0"], // the operator names the service, inside or outside
      maxResponseBytes: 1_048_576,
      connectTimeoutMs: 5_000,
      egress: [{ tenantId: null, host: url.hostname.replace(/^\[|\]$/g, ""), port: null }],
    });
  const keyService = transit && dialer ? firstOf(transitKeys({ ...transit, dialer }), local) : local;
  const vault = createVault({
    db,
    keys: keyService,
    ringMs: cacheMs,
    ...(onError === undefined ? {} : { onError }),
  });
  await vault.check();
  return { vault, keyService, close: async () => dialer?.close() };
}
