/**
 * A log of any size without signing each receipt: leaves are hashes of their own numbers, written by the database,
 * and their tiles are made here. What the server does on top of it is the server's own code.
 */
import { createHash } from "node:crypto";
import { formatTreeHead, type Hash } from "@oars/receipts";
import { type Database, sql } from "../../apps/server/src/platform/db/index.ts";
import { newId } from "../../apps/server/src/platform/kernel/index.ts";
import { createWalk, type MadeTile } from "../../apps/server/src/sign/log/walk.ts";
import type { House } from "./sign-house.ts";

const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();

/** The leaf of a number, as the database makes it: SHA-256 of its eight bytes. */
function leafOf(index: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(index));
  return sha256(bytes);
}

/** Id of the receipt that a synthetic leaf stands for. */
export const idOf = (index: number): string => {
  const hex = index.toString(16).padStart(12, "0");
  return `01900000-0000-7000-8000-${hex}`;
};

/** A tree of `size` synthetic leaves under a signed head, for a new tenant. */
export async function plantTree(house: House, size: number): Promise<string> {
  const tenantId = newId();
  await plantLeaves(house.db, tenantId, size);
  const root = await plantTiles(house.db, tenantId, size);
  await house.add(tenantId); // makes the keys; the receipt waits until the head below is there
  const { origin } = await house.log.status(tenantId);
  const note = `${formatTreeHead({ origin, size, root })}\n\u2014 bench AAAAAAAA\n`; // its signature is never read
  await house.db.system.query(sql`insert into log_checkpoint (tenant_id, size, root, note)
    values (${tenantId}, ${size}, ${root}, ${note})`);
  return tenantId;
}

async function plantLeaves(db: Database, tenantId: string, size: number): Promise<void> {
  const step = 250_000;
  for (let from = 0; from < size; from += step) {
    const to = Math.min(size, from + step);
    await db.system.query(sql`insert into log_leaf (tenant_id, leaf_index, receipt_id, leaf_hash)
      select ${tenantId}, i, ('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, sha256(int8send(i))
      from generate_series(${from}::int8, ${to - 1}::int8) i`);
  }
}

/** Writes the tiles as the leaves come, keeping one of each level; gives the root. */
async function plantTiles(db: Database, tenantId: string, size: number): Promise<Hash> {
  const walk = createWalk();
  let rows: { l: number; i: number; h: string }[] = [];
  const flush = async (): Promise<void> => {
    await db.system.query(sql`insert into log_tile (tenant_id, level, tile_index, hashes)
      select ${tenantId}, r.l, r.i, decode(r.h, 'base64')
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r(l int, i int8, h text)`);
    rows = [];
  };
  const keep = ({ level, index, hashes }: MadeTile): void => {
    rows.push({ l: level, i: index, h: Buffer.from(hashes).toString("base64") });
  };
  for (let index = 0; index < size; index++) {
    for (const tile of walk.add(leafOf(index))) keep(tile);
    if (rows.length >= 256) await flush();
  }
  for (const tile of walk.edge()) keep(tile);
  if (rows.length > 0) await flush();
  return walk.root();
}
