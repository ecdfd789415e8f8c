/**
 * Signing keys of tenants, ready to sign. Owns: making the first ones, remembering them, noticing that they changed.
 * Each tenant has one active key for receipts and another for its log; both are made on first use, together with the
 * tenant's issuer and log origin. When many processes are first at once, all of them use the keys that became durable.
 *
 * K1 a tenant has one active key of each use, whoever makes or rotates keys at the same time.
 * K2 a process that signs receipts knows within half a minute that a key has ended: by a hint from whoever ended it,
 *    else by asking. Where a key ended is settled later than that (key-changes.ts), so nothing signed in time is lost.
 */
import type { Database, Tx } from "#platform/db";
import { formatId } from "#platform/kernel";
import type { Sealer, Vault } from "#platform/vault";
import { type KeyHolder, type Signer, softwareKeys } from "./key-holders.ts";
import { insertKeys, type KeyUse, listEnding, listKeys, type NewKey, type StoredKey } from "./key-store.ts";

export interface TenantSigners {
  readonly tenantId: string;
  readonly issuer: string;
  /** Origin line of the tenant's log. */
  readonly origin: string;
  readonly receipt: Signer;
  /** The active key first, then those that retire: a head is signed by all of them. */
  readonly log: readonly [Signer, ...Signer[]];
}

export interface Signers {
  /** Inside a transaction pass it: the embedded database would wait for itself. */
  get(tenantId: string, within?: Tx): Promise<TenantSigners>;
  cached(tenantId: string): TenantSigners | undefined;
  /** Reads the keys again when they are next needed, here and in the other processes. */
  changed(tenantId: string): void;
  /** Reads the keys again when they are next needed, here. */
  drop(tenantId: string): void;
  /** Hears of changes that other processes make. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** What the keys of a tenant would be named on this server. */
  names(tenantId: string): { readonly issuer: string; readonly origin: string };
  /** The installation's own key as a witness of other logs; made on first use. */
  witness(): Promise<{ readonly name: string; readonly signer: Signer }>;
  /** A key for what comes next; it is not stored. */
  make(tx: Tx, tenantId: string, use: KeyUse, name: string, fresh: boolean): Promise<NewKey>;
  open(tx: Tx, key: StoredKey): Promise<Signer>;
}

export interface SignersDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "sealer">;
  /** Public URL of this server, as the first keys of a tenant will name it. */
  readonly origin: string;
  /** First part of log origins; the host of `origin` when absent. */
  readonly logOrigin?: string;
  /** Those that hold keys, the one that makes new ones first; software when absent. */
  readonly holders?: readonly [KeyHolder, ...KeyHolder[]];
  /** Told when it could not be asked whether keys have ended. */
  readonly onError?: (error: unknown) => void;
}

/** Owns what belongs to the installation and to no tenant: the log of logs, and its witness key. */
export const installationId = "00000000-0000-0000-0000-000000000000";

const mostTenants = 10_000;
const askMs = 30_000;
const channel = "signing_key";

export function createSigners(deps: SignersDeps): Signers {
  const known = new Map<string, TenantSigners>();
  const loading = new Map<string, Promise<TenantSigners>>();
  let listening: Promise<() => Promise<void>> | undefined;
  let asking: NodeJS.Timeout | undefined;
  let witness: Awaited<ReturnType<Signers["witness"]>> | undefined;

  const keep = (signers: TenantSigners): TenantSigners => {
    const oldest = known.size >= mostTenants ? known.keys().next().value : undefined;
    if (oldest !== undefined) known.delete(oldest);
    known.set(signers.tenantId, signers);
    return signers;
  };
  const drop = (tenantId: string): void => {
    known.delete(tenantId);
    loading.delete(tenantId); // what is being read may be from before the change
  };

  const load = (tenantId: string): Promise<TenantSigners> => {
    const pending = loading.get(tenantId);
    if (pending !== undefined) return pending;
    const started: Promise<TenantSigners> = deps.db
      .tx(tenantId, (tx) => readOrMake(deps, tx, tenantId))
      .then((signers) => (loading.get(tenantId) === started ? keep(signers) : signers))
      .finally(() => {
        if (loading.get(tenantId) === started) loading.delete(tenantId);
      });
    loading.set(tenantId, started);
    return started;
  };

  /** What a hint that was lost would have told. */
  const ask = async (): Promise<void> => {
    if (known.size === 0) return;
    for (const { tenantId, kid } of await listEnding(deps.db))
      if (known.get(tenantId)?.receipt.kid === kid) drop(tenantId);
  };

  return {
    cached: (tenantId) => known.get(tenantId),
    drop,
    get: async (tenantId, within) => {
      const found = known.get(tenantId);
      if (found) return found;
      if (!within) return load(tenantId);
      const made = await readOrMake(deps, within, tenantId);
      within.onCommit(() => keep(made)); // a key that was rolled back must not sign anything
      return made;
    },
    changed: (tenantId) => {
      drop(tenantId);
      deps.db.notify(channel, tenantId);
    },
    start: async () => {
      listening ??= deps.db.listen(channel, (tenantId) => {
        if (tenantId !== "") return drop(tenantId);
        known.clear();
        loading.clear();
      });
      await listening;
      asking ??= setInterval(() => void ask().catch(deps.onError ?? (() => {})), askMs);
    },
    stop: async () => {
      clearInterval(asking);
      asking = undefined;
      await (await listening)?.();
      listening = undefined;
    },
    witness: async () => {
      witness ??= await readWitness(deps);
      return witness;
    },
    names: (tenantId) => namesOf(deps, tenantId),
    make: async (tx, tenantId, use, name, fresh) =>
      holdersOf(deps)[0].make({ tenantId, use, name }, await deps.vault.sealer(tenantId, tx), fresh),
    open: async (tx, key) => openWith(deps, key, await deps.vault.sealer(key.tenantId, tx)),
  };
}

const holdersOf = (deps: SignersDeps): readonly [KeyHolder, ...KeyHolder[]] => deps.holders ?? [softwareKeys];

function openWith(deps: SignersDeps, key: StoredKey, sealer: Sealer): Signer {
  const holder = [...holdersOf(deps), softwareKeys].find(({ name }) => name === key.provider);
  if (!holder) throw new Error(`key ${key.kid} is held by ${key.provider}, which is not configured`);
  return holder.open(key, sealer);
}

async function readOrMake(deps: SignersDeps, tx: Tx, tenantId: string): Promise<TenantSigners> {
  const sealer = await deps.vault.sealer(tenantId, tx);
  let rows = await listKeys(tx, tenantId);
  const names = namesOf(deps, tenantId);
  const wanted = (["receipt", "log"] as const).filter((use) => !rows.some((row) => isActive(row, use)));
  if (wanted.length > 0) {
    const [holder] = holdersOf(deps);
    const made: NewKey[] = [];
    for (const use of wanted) {
      const name = rows.find((row) => row.use === use)?.name ?? (use === "log" ? names.origin : names.issuer);
      made.push(await holder.make({ tenantId, use, name }, sealer, false));
    }
    await insertKeys(tx, made);
    rows = await listKeys(tx, tenantId);
  }
  const [receipt, log] = [activeOf(rows, "receipt"), activeOf(rows, "log")];
  const ending = rows.filter((row) => row.use === "log" && row.status === "retiring" && row.signs);
  return {
    tenantId,
    issuer: receipt.name,
    origin: log.name,
    receipt: openWith(deps, receipt, sealer),
    log: [openWith(deps, log, sealer), ...ending.map((row) => openWith(deps, row, sealer))],
  };
}

/** A witness keeps its key: whoever relies on it knows no other. */
const readWitness = (deps: SignersDeps): ReturnType<Signers["witness"]> =>
  deps.db.tx(installationId, async (tx) => {
    const sealer = await deps.vault.sealer(installationId, tx);
    const find = async () => (await listKeys(tx, installationId)).find((row) => isActive(row, "witness"));
    if (!(await find())) {
      const name = `${namesOf(deps, installationId).origin.replace(/\/log\/instance$/, "")}/witness`;
      const [holder] = holdersOf(deps);
      const plan = { tenantId: installationId, use: "witness", name } as const;
      await insertKeys(tx, [await holder.make(plan, sealer, false)]);
    }
    const key = await find();
    if (!key) throw new Error("the witness key was made and is not there");
    return { name: key.name, signer: openWith(deps, key, sealer) };
  });

const isActive = (row: StoredKey, use: KeyUse): boolean => row.use === use && row.status === "active";

export function activeOf(rows: readonly StoredKey[], use: KeyUse): StoredKey {
  const found = rows.find((row) => isActive(row, use));
  if (!found) throw new Error(`the tenant has no active ${use} key`);
  return found;
}

/** Issuer and log origin of a tenant on this server. */
function namesOf(deps: SignersDeps, tenantId: string): { issuer: string; origin: string } {
  const base = deps.origin.replace(/\/+$/, "");
  const tenant = tenantId === installationId ? "instance" : formatId("tenant", tenantId);
  const log = deps.logOrigin ?? base.replace(/^https?:\/\//, "");
  return { issuer: `${base}/t/${tenant}`, origin: `${log}/log/${tenant}` };
}
