/**
 * Being a witness of other logs (C2SP tlog-witness). Owns: what was seen of each log.
 *
 * I1 of one log, nothing is cosigned that does not extend everything that was cosigned before.
 * I2 what is cosigned is durable before the answer leaves, and two requests about one log follow each other.
 * I3 only logs that are configured, with a signature by their configured key, are looked at.
 */
import {
  cosignedMessage,
  equalBytes,
  FormatError,
  formatCosignature,
  type NoteKey,
  parseAddCheckpoint,
  verifyConsistency,
  verifyNote,
  witnessKey,
} from "@oars/receipts";
import { createNodeCrypto } from "@oars/receipts/node";
import { type Database, sql, type Tx } from "#platform/db";
import { type Clock, sha256 } from "#platform/kernel";
import { installationId, type Signers } from "#sign/receipts";

export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly body: string;
  readonly type: "text/plain; charset=utf-8" | "text/x.tlog.size";
}

export interface WitnessDeps {
  readonly db: Database;
  readonly signers: Pick<Signers, "witness">;
  /** Keys of the logs that are witnessed; their names are the origins. */
  readonly logs: readonly NoteKey[];
  readonly clock: Clock;
}

const crypto = createNodeCrypto();
const plain = (status: WitnessAnswer["status"], body: string): WitnessAnswer => ({
  status,
  body: `${body}\n`,
  type: "text/plain; charset=utf-8",
});
const conflict = (size: number): WitnessAnswer => ({
  status: 409,
  body: `${size}\n`,
  type: "text/x.tlog.size",
});

/** The body of `POST add-checkpoint`, hostile input, and what to answer. */
export async function addCheckpoint(deps: WitnessDeps, text: string): Promise<WitnessAnswer> {
  let asked: ReturnType<typeof parseAddCheckpoint>;
  try {
    asked = parseAddCheckpoint(text);
  } catch (error) {
    if (error instanceof FormatError) return plain(400, error.message);
    throw error;
  }
  const { head, old } = asked;
  const keys = deps.logs.filter(({ name }) => name === head.origin);
  if (keys.length === 0) return plain(404, "this log is not witnessed here");
  if ((await verifyNote(head.note, keys, crypto)).status !== "signed")
    return plain(403, "no key of the log that is known here signed the checkpoint");
  if (old > head.size) return plain(400, "the old size is larger than the checkpoint's");
  const refused = await deps.db.tx(installationId, (tx) => advance(tx, asked));
  if (refused) return refused;
  const { name, signer } = await deps.signers.witness();
  const seconds = Math.floor(deps.clock.now().getTime() / 1000);
  const signature = await signer.sign(cosignedMessage(seconds, head.note.text));
  const line = formatCosignature(witnessKey(name, signer.publicKey, sha256), seconds, signature);
  return { status: 200, body: line, type: "text/plain; charset=utf-8" };
}

/** Compares with what was seen and takes the new head in its place; or says what to answer. */
async function advance(
  tx: Tx,
  { head, old, hashes, checkpoint }: ReturnType<typeof parseAddCheckpoint>,
): Promise<WitnessAnswer | undefined> {
  await tx.query(sql`/* witness.lock */
    select pg_advisory_xact_lock(hashtextextended(${`oars/witness/${head.origin}`}, 0)) as locked`);
  const [seen] = await tx.query<{ size: number; root: Uint8Array }>(sql`/* witness.find */
    select size, root from witnessed_log where tenant_id = ${installationId} and origin = ${head.origin}`);
  const known = seen?.size ?? 0;
  if (old !== known) return conflict(known);
  if (seen && head.size === seen.size && !equalBytes(head.root, seen.root)) return conflict(known);
  const oldRoot = seen?.root ?? sha256("");
  const claim = { from: old, to: head.size, oldRoot, newRoot: head.root, proof: hashes };
  const grew = old === 0 ? hashes.length === 0 : verifyConsistency(claim, sha256);
  if (!grew) return plain(422, "the proof does not show that the log only grew");
  await tx.query(sql`/* witness.put */
    insert into witnessed_log (tenant_id, origin, size, root, note)
    values (${installationId}, ${head.origin}, ${head.size}, ${head.root}, ${checkpoint})
    on conflict (tenant_id, origin) do update
    set size = excluded.size, root = excluded.root, note = excluded.note, seen_at = now()`);
  return undefined;
}
