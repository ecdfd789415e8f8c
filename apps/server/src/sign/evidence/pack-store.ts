import { type Database, type Db, nothing, sql, type Tx } from "#platform/db";
import type { Pack, PackKind, PackState } from "./domain.ts";

const columns = sql`p.tenant_id as "tenantId", p.id, p.kind, p.frameworks, p.window_from as "from", p.window_to as "to",
  p.run_id as "runId", p.action_id as "actionId", p.mode, p.seed, p.per_control as "perControl", p.overall, p.state, p.turn,
  p.attempts, p.done, p.total, p.bytes, p.sha256, p.manifest, p.error, p.requested_by as "requestedBy",
  p.created_at as "createdAt", p.finished_at as "finishedAt", p.delivered_at as "deliveredAt"`;

export type NewPack = Pick<
  Pack,
  | "id"
  | "kind"
  | "frameworks"
  | "from"
  | "to"
  | "runId"
  | "actionId"
  | "mode"
  | "seed"
  | "perControl"
  | "overall"
  | "requestedBy"
>;

/** False for a monthly pack that is there. */
export async function insertPack(tx: Tx, tenantId: string, p: NewPack): Promise<boolean> {
  const rows = await tx.query(sql`/* evidence.insertPack */
    insert into evidence_pack (tenant_id, id, kind, frameworks, window_from, window_to, run_id, action_id, mode, seed,
      per_control, overall, state, requested_by)
    values (${tenantId}, ${p.id}, ${p.kind}, ${JSON.stringify(p.frameworks)}::jsonb, ${p.from}, ${p.to}, ${p.runId},
      ${p.actionId}, ${p.mode}, ${p.seed}, ${p.perControl}, ${p.overall}, 'queued', ${p.requestedBy})
    on conflict (tenant_id, frameworks, window_from) where kind = 'monthly' do nothing returning 1 as one`);
  return rows.length > 0;
}

export const findPack = (db: Db, tenantId: string, id: string): Promise<Pack[]> =>
  db.query(sql`/* evidence.findPack */
    select ${columns} from evidence_pack p where p.tenant_id = ${tenantId} and p.id = ${id}`);

export interface PackFilter {
  readonly kind?: PackKind | undefined;
  readonly state?: PackState | undefined;
}

/** Newest first. */
export const listPacks = (
  db: Db,
  tenantId: string,
  { kind, state }: PackFilter,
  page: { readonly limit: number; readonly before: string | undefined },
): Promise<Pack[]> =>
  db.query(sql`/* evidence.listPacks */
    select ${columns} from evidence_pack p where p.tenant_id = ${tenantId}
      ${kind ? sql`and p.kind = ${kind}` : nothing} ${state ? sql`and p.state = ${state}` : nothing}
      ${page.before ? sql`and p.id < ${page.before}` : nothing}
    order by p.id desc limit ${page.limit}`);

const leaseSeconds = 60;
const mostAttempts = 3;

/** Across tenants: the oldest pack that nobody makes, for this process and a new turn. */
export async function claimPack(db: Database): Promise<Pack | undefined> {
  const rows = await db.system.query<Pack>(sql`/* evidence.claimPack */
    update evidence_pack p set state = 'building', turn = p.turn + 1, attempts = p.attempts + 1, done = 0, total = null,
      lease_until = now() + make_interval(secs => ${leaseSeconds})
    from (select tenant_id, id from evidence_pack
          where state = 'queued' or (state = 'building' and lease_until < now())
          order by created_at, id limit 1 for update skip locked) c
    where p.tenant_id = c.tenant_id and p.id = c.id returning ${columns}`);
  return rows[0];
}

type Turn = Pick<Pack, "tenantId" | "id" | "turn">;
const mine = (p: Turn) =>
  sql`tenant_id = ${p.tenantId} and id = ${p.id} and turn = ${p.turn} and state = 'building'`;

/** Keeps a chunk and the lease. False: another process makes the pack by now. */
export async function insertChunk(
  tx: Tx,
  p: Turn,
  seq: number,
  body: Uint8Array,
  at: { readonly done: number; readonly total: number | null },
): Promise<boolean> {
  const held = await tx.query(sql`/* evidence.holdPack */
    update evidence_pack set lease_until = now() + make_interval(secs => ${leaseSeconds}), done = ${at.done}, total = ${at.total}
    where ${mine(p)} returning 1 as one`);
  if (held.length === 0) return false;
  await tx.query(sql`/* evidence.insertChunk */
    insert into evidence_chunk (tenant_id, pack_id, turn, seq, body) values (${p.tenantId}, ${p.id}, ${p.turn}, ${seq}, ${body})`);
  return true;
}

export interface Finished {
  readonly bytes: number;
  readonly sha256: string;
  readonly manifest: string;
  readonly checkpoint: string;
  readonly treeSize: number;
  readonly done: number;
}

/** Shows the pack, and forgets what earlier turns wrote. */
export async function finishPack(tx: Tx, p: Turn, f: Finished): Promise<boolean> {
  const rows = await tx.query(sql`/* evidence.finishPack */
    update evidence_pack set state = 'ready', bytes = ${f.bytes}, sha256 = ${f.sha256}, manifest = ${f.manifest},
      checkpoint = ${f.checkpoint}, tree_size = ${f.treeSize}, done = ${f.done}, total = ${f.done}, lease_until = null,
      error = null, finished_at = now()
    where ${mine(p)} returning 1 as one`);
  if (rows.length === 0) return false;
  await tx.query(sql`/* evidence.forgetTurns */
    delete from evidence_chunk where tenant_id = ${p.tenantId} and pack_id = ${p.id} and turn <> ${p.turn}`);
  return true;
}

/** A failure that may pass is tried again, up to three times in all. */
export const giveUpPack = (db: Database, p: Turn, error: string, final: boolean): Promise<unknown> =>
  db.system.tx(async (tx) => {
    await tx.query(sql`/* evidence.giveUpPack */
      update evidence_pack set state = case when ${final} or attempts >= ${mostAttempts} then 'failed' else 'queued' end,
        finished_at = case when ${final} or attempts >= ${mostAttempts} then now() end, error = ${error}, lease_until = null
      where ${mine(p)}`);
    await tx.query(sql`/* evidence.dropChunks */
      delete from evidence_chunk where tenant_id = ${p.tenantId} and pack_id = ${p.id} and turn = ${p.turn}`);
  });

/** Hands a pack back that this process has no time for. */
export const releasePack = (db: Database, p: Turn): Promise<unknown> =>
  db.system.query(sql`/* evidence.releasePack */
    update evidence_pack set state = 'queued', lease_until = null, attempts = attempts - 1 where ${mine(p)}`);

export const readChunk = (db: Db, p: Turn, seq: number): Promise<{ body: Uint8Array }[]> =>
  db.query(sql`/* evidence.readChunk */
    select body from evidence_chunk where tenant_id = ${p.tenantId} and pack_id = ${p.id} and turn = ${p.turn} and seq = ${seq}`);

export const markDelivered = (tx: Tx, tenantId: string, id: string): Promise<unknown> =>
  tx.query(sql`/* evidence.markDelivered */
    update evidence_pack set delivered_at = coalesce(delivered_at, now()) where tenant_id = ${tenantId} and id = ${id}`);

export interface Delivered {
  readonly id: string;
  readonly checkpoint: string;
  readonly treeSize: number;
}

/** The pack that was delivered last, to prove that the log only grew since. */
export const findDelivered = (db: Db, tenantId: string): Promise<Delivered[]> =>
  db.query(sql`/* evidence.findDelivered */
    select id, checkpoint, tree_size as "treeSize" from evidence_pack
    where tenant_id = ${tenantId} and delivered_at is not null and tree_size > 0 order by tree_size desc, id desc limit 1`);
