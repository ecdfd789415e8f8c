import { type Db, defineWrite, sql, type Tx } from "#platform/db";

export type Encoding = "plain" | "zstd";

/** Whose payload it is: blobs are found through their run alone. */
export interface BlobOwner {
  readonly tenantId: string;
  readonly runId: string;
}

export interface PartRow {
  tenant_id: string;
  run_id: string;
  sha256: Uint8Array;
  part: number;
  parts: number;
  bytes: number;
  encoding: Encoding;
  body: Uint8Array;
}

/** What is there already is the same, for its key is its digest. */
export const insertPart = defineWrite<PartRow>({
  name: "blobs.insertPart",
  order: 15,
  columns: {
    tenant_id: "uuid",
    run_id: "uuid",
    sha256: "bytea",
    part: "int4",
    parts: "int4",
    bytes: "int8",
    encoding: "text",
    body: "bytea",
  },
  text: `/* blobs.insertPart */ insert into blob (tenant_id, run_id, sha256, part, parts, bytes, encoding, body)
    select b.tenant_id, b.run_id, b.sha256, b.part, b.parts, b.bytes, b.encoding, b.body from batch b on conflict do nothing`,
});

/** The blob of one run becomes also that of another. */
export const copyBlob = defineWrite<{
  tenant_id: string;
  from_run_id: string;
  run_id: string;
  sha256: Uint8Array;
}>({
  name: "blobs.copyBlob",
  order: 16,
  columns: { tenant_id: "uuid", from_run_id: "uuid", run_id: "uuid", sha256: "bytea" },
  text: `/* blobs.copyBlob */ insert into blob (tenant_id, run_id, sha256, part, parts, bytes, encoding, body)
    select o.tenant_id, b.run_id, o.sha256, o.part, o.parts, o.bytes, o.encoding, o.body from batch b
    join blob o on o.tenant_id = b.tenant_id and o.run_id = b.from_run_id and o.sha256 = b.sha256 on conflict do nothing`,
});

export interface Part {
  readonly parts: number;
  readonly bytes: number;
  readonly encoding: Encoding;
  readonly body: Uint8Array;
}

export async function findPart(
  db: Db,
  owner: BlobOwner,
  sha256: Uint8Array,
  part: number,
): Promise<Part | undefined> {
  const rows = await db.query<Part>(sql`/* blobs.findPart */
    select parts, bytes, encoding, body from blob
    where tenant_id = ${owner.tenantId} and run_id = ${owner.runId} and sha256 = ${sha256} and part = ${part}`);
  return rows[0];
}

/** The payloads of runs whose data are erased. */
export const deleteBlobsOf = (tx: Tx, tenantId: string, runIds: readonly string[]): Promise<unknown> =>
  tx.query(sql`/* blobs.deleteOf */
    delete from blob where tenant_id = ${tenantId} and run_id = any(${[...runIds]}::uuid[])`);
