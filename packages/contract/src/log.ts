import { z } from "zod";
import { receiptId } from "./id.ts";
import { instant } from "./scalar.ts";

/** The last part of a log's origin and of its URL: a tenant, or `instance` for the log of all logs. */
export const logName = z.string().regex(/^(instance|ten_[0-7][0-9a-hjkmnp-tv-z]{25})$/, {
  error: "must be `instance` or a tenant id",
});

const hash = z
  .string()
  .meta({ description: "32 bytes in base64.", examples: ["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="] });
const size = z.int().min(0);
const wholeNumber = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

export const inclusionQuery = z.strictObject({ receipt: receiptId });
export const consistencyQuery = z.strictObject({ from: wholeNumber, to: wholeNumber.optional() });

/** Proof of RFC 9162 that a receipt is in the log whose checkpoint is given. */
export const inclusionProof = z
  .object({
    receiptId,
    origin: z.string(),
    leafIndex: size,
    leafHash: hash,
    treeSize: size,
    hashes: z.array(hash).meta({ description: "From the leaf's sibling up to the root's child." }),
    checkpoint: z.string().meta({ description: "The signed note (C2SP tlog-checkpoint)." }),
  })
  .meta({ id: "InclusionProof" });

/** Proof of RFC 9162 that the log of `from` leaves is the beginning of the log of `to` leaves. */
export const consistencyProof = z
  .object({ origin: z.string(), from: size, to: size, hashes: z.array(hash), checkpoint: z.string() })
  .meta({ id: "ConsistencyProof" });

/** How the log is. `problem` says why no head is signed; the runbook `log-refuses-to-sign` says what to do. */
export const logStatus = z
  .object({
    origin: z.string(),
    url: z.string().meta({ description: "Prefix of the log's files (C2SP tlog-tiles)." }),
    public: z.boolean().meta({ description: "Whether the files are served." }),
    treeSize: size,
    rootHash: hash.nullable(),
    checkpointAt: instant.nullable(),
    pending: size.meta({ description: "Receipts that have no place in the log yet." }),
    healthy: z.boolean(),
    problem: z.string().nullable(),
  })
  .meta({ id: "LogStatus" });

export const witnessQuery = z.strictObject({
  receipt: receiptId,
  quorum: z.coerce.number().int().min(0).max(64).optional().meta({
    description: "How many witnesses must have cosigned; what the server is configured for when left out.",
  }),
});

/** Proof that a receipt is in its log, that log's head in the log of logs, and who cosigned that. */
export const witnessProof = z
  .object({
    leafIndex: size,
    leafHash: hash,
    treeSize: size,
    hashes: z.array(hash),
    entry: z.string().meta({ description: "The head of the tenant's log, as the log of logs holds it." }),
    logOfLogs: z.object({
      leafIndex: size,
      treeSize: size,
      hashes: z.array(hash),
      checkpoint: z.string().meta({ description: "With its cosignatures (C2SP tlog-cosignature)." }),
    }),
  })
  .meta({ id: "WitnessProof" });

/** What a verifier pins of an installation. */
export const instanceTrust = z
  .object({
    origin: z.string().meta({ description: "Origin line of the log of logs." }),
    vkeys: z.array(z.string()).meta({ description: "Its keys." }),
    witnesses: z.array(z.object({ name: z.string(), vkey: z.string(), url: z.string() })),
    quorum: size.meta({ description: "How many of them make a receipt witnessed." }),
    witness: z
      .object({ vkey: z.string(), logs: z.array(z.string()) })
      .nullable()
      .meta({ description: "As which this server cosigns logs of others." }),
  })
  .meta({ id: "InstanceTrust" });

export type WitnessProof = z.infer<typeof witnessProof>;
export type InstanceTrust = z.infer<typeof instanceTrust>;
export type InclusionProof = z.infer<typeof inclusionProof>;
export type ConsistencyProof = z.infer<typeof consistencyProof>;
export type LogStatus = z.infer<typeof logStatus>;
