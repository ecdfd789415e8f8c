export { isWitnessed, keepCosignature, newestHead, witnessedSize } from "./cosignatures.ts";
export type { LogFile } from "./files.ts";
export { checkLogs, type Difference, type LogFindings } from "./fsck.ts";
export { createHeads, type Heads, type HeadsDeps } from "./heads.ts";
export type { InclusionProof, ProvenGrowth, ProvenLeaf } from "./proofs.ts";
export { createLog, type Log, type LogDeps, type Show } from "./service.ts";
export type { LogStatus } from "./status.ts";
export { findHead, type Head } from "./store.ts";
export { loadTiles, proveConsistency, proveLeaves, readerOf } from "./tree.ts";
