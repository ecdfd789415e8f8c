export type { LogFile } from "./files.ts";
export type { InclusionProof, ProvenGrowth, ProvenLeaf } from "./proofs.ts";
export { createLog, type Log, type LogDeps, type Show } from "./service.ts";
export type { LogStatus } from "./status.ts";
export { findHead, type Head } from "./store.ts";
export { loadTiles, proveConsistency, proveLeaves, readerOf } from "./tree.ts";
