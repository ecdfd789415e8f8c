/**
 * Asking witnesses to cosign the log of logs (C2SP tlog-witness). Each gets what it has not seen yet, with the proof
 * that it only grew; a witness that knows another size says so, and is asked once more from there.
 */
import { formatAddCheckpoint, parseCheckpoint, readCosignatures, type WitnessKey } from "@oars/receipts";
import { createNodeCrypto } from "@oars/receipts/node";
import type { Database } from "#platform/db";
import type { Dialer } from "#platform/net";
import type { Logger } from "#platform/telemetry";
import { keepCosignature, type Log, witnessedSize } from "#sign/log";
import { installationId } from "#sign/receipts";

export interface WitnessPeer {
  /** Prefix before `/add-checkpoint`. */
  readonly url: string;
  readonly key: WitnessKey;
}

export interface Collected {
  readonly size: number;
  /** Names of the witnesses that cosigned the newest head. */
  readonly by: readonly string[];
}

export interface CollectDeps {
  readonly db: Database;
  readonly dialer: Pick<Dialer, "request">;
  readonly tree: Pick<Log, "checkpoint" | "consistency">;
  readonly peers: readonly WitnessPeer[];
  readonly log: Logger;
  /** 10,000 when absent. */
  readonly timeoutMs?: number;
}

const crypto = createNodeCrypto();

/** Asks all witnesses about the newest head at once. One that refuses or is silent is logged and left out. */
export async function collectCosignatures(deps: CollectDeps): Promise<Collected | undefined> {
  if (deps.peers.length === 0) return undefined;
  const checkpoint = await deps.tree.checkpoint(installationId);
  const { size } = parseCheckpoint(checkpoint);
  const asked = await Promise.all(
    deps.peers.map(async (peer) => {
      try {
        await askOne(deps, peer, checkpoint, size);
        return [peer.key.name];
      } catch (err) {
        deps.log.warn({ err, witness: peer.key.name, size }, "a witness did not cosign");
        return [];
      }
    }),
  );
  return { size, by: asked.flat() };
}

async function askOne(deps: CollectDeps, peer: WitnessPeer, checkpoint: string, size: number): Promise<void> {
  const first = await post(deps, peer, checkpoint, await witnessedSize(deps.db, peer.key.name));
  const known = first.status === 409 ? sizeIn(first.body) : undefined;
  const answer = known !== undefined && known <= size ? await post(deps, peer, checkpoint, known) : first;
  if (answer.status !== 200) throw new Error(`it answered ${answer.status}: ${answer.body.slice(0, 200)}`);
  const signed = parseCheckpoint(checkpoint + answer.body);
  const own = { note: { ...signed.note, signatures: signed.note.signatures.slice(-mostLines) } };
  const [cosignature] = await readCosignatures(own, [peer.key], crypto);
  const line = answer.body.split("\n").find((text) => text.startsWith(`\u2014 ${peer.key.name} `));
  if (!cosignature || line === undefined) throw new Error("what it answered is not its cosignature");
  await keepCosignature(deps.db, { size, witness: peer.key.name, line: `${line}\n` });
}

/** Signature lines of an answer that are looked at. */
const mostLines = 16;

async function post(deps: CollectDeps, peer: WitnessPeer, checkpoint: string, old: number) {
  const { hashes } = await deps.tree.consistency(installationId, old, parseCheckpoint(checkpoint).size);
  const answer = await deps.dialer.request({
    method: "POST",
    url: `${peer.url}/add-checkpoint`,
    headers: { "content-type": "text/plain; charset=utf-8" },
    body: formatAddCheckpoint({ old, hashes, checkpoint }),
    timeoutMs: deps.timeoutMs ?? 10_000,
    maxResponseBytes: 65_536,
    tenantId: installationId,
  });
  return { status: answer.status, body: Buffer.from(answer.body).toString("utf8") };
}

const sizeIn = (text: string): number | undefined =>
  /^(0|[1-9]\d{0,14})\n?$/.test(text) ? Number(text) : undefined;
