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

export type InclusionProof = z.infer<typeof inclusionProof>;
export type ConsistencyProof = z.infer<typeof consistencyProof>;
export type LogStatus = z.infer<typeof logStatus>;
