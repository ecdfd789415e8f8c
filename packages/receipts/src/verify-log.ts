/** The log's part of a verification: checkpoint signature, inclusion, consistency, witnesses. */
import { equalBytes, fromBase64 } from "./bytes.ts";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";
import type { VerifyCrypto } from "./crypto.ts";
import { FormatError } from "./format-error.ts";
import { receiptLeaf } from "./merkle.ts";
import { verifyConsistency, verifyInclusion } from "./merkle-verify.ts";
import { verifyNote } from "./note.ts";
import { absent, type Check, failed, ok, undecidable } from "./report.ts";
import type { TlogProof } from "./tlog-proof.ts";
import { lateCheckpoint, type TrustedTenant } from "./trust.ts";

export interface EarlierCheckpoint {
  readonly checkpoint: string;
  readonly hashes: readonly string[];
}

export interface LogReport {
  readonly inclusion: Check;
  readonly checkpoint: Check;
  readonly consistency: Check;
  readonly witness: Check;
}

export interface LogChecks {
  check(
    jws: string,
    proof: TlogProof | undefined,
    tenant: TrustedTenant | undefined,
    claimedLog: string | undefined,
    since: EarlierCheckpoint | undefined,
  ): Promise<LogReport>;
  sizeOf(checkpoint: string | undefined): number | undefined;
}

/** A checkpoint text, read and its signature decided for one tenant. */
export interface Judged {
  readonly head: Checkpoint | undefined;
  readonly signature: Check;
  readonly ignored: number;
}

/** Checkpoints remembered at once; one bundle has one. */
const mostRemembered = 256;

export function createLogChecks(crypto: VerifyCrypto): LogChecks {
  const judged = new Map<string, Judged>();
  const heads = new Map<string, Checkpoint>();

  const judgeOnce = async (text: string, tenant: TrustedTenant | undefined): Promise<Judged> => {
    const key = `${tenant?.tenantId ?? ""}\n${text}`;
    const known = judged.get(key);
    if (known) return known;
    if (judged.size >= mostRemembered) judged.clear();
    const result = await judge(text, tenant, crypto);
    judged.set(key, result);
    return result;
  };

  /** Two signed heads of one log and size with different roots prove a fork. */
  const forkOf = (head: Checkpoint): boolean => {
    const key = `${head.origin}\n${head.size}`;
    const seen = heads.get(key);
    if (!seen) heads.set(key, head);
    return seen !== undefined && !equalBytes(seen.root, head.root);
  };

  return {
    async check(jws, proof, tenant, claimedLog, since) {
      if (!proof) return nothingLogged;
      const now = await judgeOnce(proof.checkpoint, tenant);
      const { head } = now;
      if (!head)
        return { ...nothingLogged, checkpoint: now.signature, inclusion: undecidable(now.signature.detail) };
      const signed = now.signature.status === "ok";
      const misplaced = claimedLog !== undefined && claimedLog !== head.origin;
      return {
        checkpoint: now.signature,
        inclusion: misplaced
          ? failed(`the receipt belongs to log ${claimedLog}, the proof is of ${head.origin}`)
          : checkInclusion(jws, proof, head, crypto),
        consistency:
          signed && forkOf(head)
            ? failed(`the log signed two different heads of size ${head.size}: it is forked`)
            : since
              ? await checkConsistency(await judgeOnce(since.checkpoint, tenant), since.hashes, head, crypto)
              : absent("one checkpoint was given; compare it with one kept from before"),
        witness: absent(
          now.ignored > 0 ? `${now.ignored} signature lines of unknown keys` : "no cosignatures",
        ),
      };
    },
    sizeOf(text) {
      if (text === undefined) return undefined;
      for (const [key, { head }] of judged) if (key.endsWith(`\n${text}`)) return head?.size;
      return undefined;
    },
  };
}

const nothingLogged: LogReport = {
  inclusion: absent("no proof of inclusion was given"),
  checkpoint: absent("no checkpoint was given"),
  consistency: absent("no checkpoint was given"),
  witness: absent("no checkpoint was given"),
};

/** Reads a checkpoint, hostile, and decides its signature for one tenant. */
export async function judge(
  text: string,
  tenant: TrustedTenant | undefined,
  crypto: VerifyCrypto,
): Promise<Judged> {
  let head: Checkpoint;
  try {
    head = parseCheckpoint(text);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { head: undefined, signature: undecidable(error.message), ignored: 0 };
  }
  if (!tenant) {
    const ignored = head.note.signatures.length;
    return {
      head,
      signature: undecidable("whose log this is cannot be told without the receipt's key"),
      ignored,
    };
  }
  if (head.origin !== tenant.origin)
    return {
      head,
      signature: failed(`the checkpoint is of ${head.origin}, not of ${tenant.origin}`),
      ignored: 0,
    };
  const verdict = await verifyNote(head.note, tenant.logKeys, crypto);
  if (verdict.status === "forged")
    return { head, signature: failed("the log's signature does not match the checkpoint"), ignored: 0 };
  if (verdict.status === "unknown")
    return {
      head,
      signature: undecidable("no trusted log key signed the checkpoint"),
      ignored: verdict.ignored,
    };
  const signers = tenant.logKeys.filter((key) => verdict.by.some(({ id }) => id === key.id));
  const late = signers.map((key) => lateCheckpoint(key, head.size));
  const [why] = late;
  const counts = late.includes(undefined); // one key that still counts is enough while another ends
  const signature =
    counts || why === undefined ? ok(`log ${head.origin}, ${head.size} receipts`) : undecidable(why);
  return { head, signature, ignored: verdict.ignored };
}

function checkInclusion(jws: string, proof: TlogProof, head: Checkpoint, crypto: VerifyCrypto): Check {
  const leaf = receiptLeaf(jws, crypto.sha256);
  const { index, hashes } = proof;
  return verifyInclusion({ leaf, index, size: head.size, proof: hashes, root: head.root }, crypto.sha256)
    ? ok(`leaf ${index} of ${head.size}`)
    : failed(`the receipt is not leaf ${index} of the tree of ${head.size}`);
}

async function checkConsistency(
  earlier: Judged,
  hashes: readonly string[],
  head: Checkpoint,
  crypto: VerifyCrypto,
): Promise<Check> {
  const before = earlier.head;
  if (!before || earlier.signature.status !== "ok")
    return {
      status: earlier.signature.status,
      detail: `the earlier checkpoint: ${earlier.signature.detail}`,
    };
  const [old, young] = before.size <= head.size ? [before, head] : [head, before];
  let proof: Uint8Array[];
  try {
    proof = hashes.map(fromBase64);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return undecidable(`the consistency proof cannot be read: ${error.message}`);
  }
  const claim = { from: old.size, to: young.size, oldRoot: old.root, newRoot: young.root, proof };
  return verifyConsistency(claim, crypto.sha256)
    ? ok(`the tree of ${young.size} extends the tree of ${old.size}`)
    : failed(`the tree of ${young.size} does not extend the tree of ${old.size}`);
}
