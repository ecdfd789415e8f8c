/** Receipt and log formats of OARS and their offline verifier. No dependencies; runs in browsers. */
export {
  approvalStates,
  decisionEffects,
  outcomeStatuses,
  type ReceiptAction,
  type ReceiptApproval,
  type ReceiptBody,
  type ReceiptDecision,
  type ReceiptEvidence,
  type ReceiptFlow,
  type ReceiptKeyChange,
  type ReceiptLinks,
  type ReceiptOperation,
  type ReceiptOutcome,
  type ReceiptPrincipal,
  type ReceiptRun,
  type ReceiptType,
  receiptTypes,
} from "./body.ts";
export { type BodyProblem, type BodyVerdict, checkBody } from "./body-schema.ts";
export { equalBytes, fromBase64, fromBase64Url, fromHex, toBase64, toBase64Url, toHex } from "./bytes.ts";
export { canonicalJson, type Json } from "./canonical.ts";
export { CborMap, CborTag, type CborValue, encodeCbor } from "./cbor.ts";
export { type ChainLink, verifyChain } from "./chain.ts";
export { type Checkpoint, formatTreeHead, parseCheckpoint, type TreeHead } from "./checkpoint.ts";
export { cloudEventsType, type ReceiptEvent, toCloudEvent } from "./cloud-event.ts";
export {
  type ControlFilter,
  type EvidenceKind,
  evidenceKinds,
  filterNames,
  isHumanApproval,
  kindsOf,
  matchesFilter,
} from "./control-filter.ts";
export {
  type CoseReceiptInput,
  coseEd25519,
  encodeCoseReceipt,
  encodeCoseStatement,
  type SignBytes,
} from "./cose.ts";
export {
  type AddCheckpoint,
  type Cosignature,
  cosignedMessage,
  formatAddCheckpoint,
  formatCosignature,
  formatWitnessVkey,
  parseAddCheckpoint,
  parseWitnessVkey,
  readCosignatures,
  type WitnessKey,
  witnessKey,
} from "./cosignature.ts";
export { createWebCrypto, type Sha256, type VerifyCrypto } from "./crypto.ts";
export {
  checkDisclosures,
  type Disclosure,
  decodeDisclosure,
  disclosureDigest,
  encodeDisclosure,
  formatSdJwt,
  parseSdJwt,
  type SdJwt,
} from "./disclosure.ts";
export {
  type DsseEnvelope,
  dssePreAuth,
  type InTotoStatement,
  inTotoPayloadType,
  receiptPredicateType,
  toDsse,
  toInTotoStatement,
} from "./dsse.ts";
export {
  bundleFormat,
  type Evidence,
  isBundle,
  parseEvidence,
  type ReceiptBundle,
  splitEvidence,
} from "./evidence.ts";
export { FormatError } from "./format-error.ts";
export {
  type CompactJws,
  decodeBody,
  parseJws,
  receiptDigest,
  receiptHeader,
  receiptTyp,
  thumbprint,
} from "./jws.ts";
export {
  formatHeadEntry,
  type HeadEntry,
  headLeaf,
  parseHeadEntry,
  verifyWitnessed,
  type WitnessProof,
  type WitnessTrust,
  type WitnessVerdict,
} from "./log-of-logs.ts";
export {
  consistencyNodes,
  consistencyProof,
  type Hash,
  inclusionNodes,
  inclusionProof,
  leafHash,
  leavesReader,
  type NodeId,
  type NodeReader,
  nodeHash,
  receiptEntry,
  receiptLeaf,
  rootHash,
  rootNodes,
} from "./merkle.ts";
export { verifyConsistency, verifyInclusion } from "./merkle-verify.ts";
export {
  formatSignature,
  formatVkey,
  isKeyName,
  type Note,
  type NoteKey,
  type NoteSignature,
  type NoteVerdict,
  noteKey,
  parseNote,
  parseVkey,
  verifyNote,
} from "./note.ts";
export {
  createDraw,
  type Draw,
  drawOf,
  type GapReason,
  manifestFile,
  type PackControl,
  type PackCoverage,
  type PackFile,
  type PackGap,
  type PackLine,
  type PackManifest,
  packFormat,
  packInput,
  parseSignedManifest,
  signatureFile,
} from "./pack.ts";
export {
  type ControlTally,
  coverageOf,
  createTally,
  gapsOf,
  nameOfControl,
  type Tally,
} from "./pack-tally.ts";
export {
  type PackChecks,
  type PackReader,
  type PackReport,
  packCheckNames,
  verifyPack,
} from "./pack-verify.ts";
export { rangeNodes, rangeRoot } from "./range-proof.ts";
export { type ReplayChecks, type ReplayReport, replay, replayCheckNames } from "./replay.ts";
export {
  parseReplay,
  type ReplayEntity,
  type ReplayFile,
  type ReplayGrant,
  type ReplayPolicy,
  replayFormat,
} from "./replay-file.ts";
export type { CedarPort } from "./replay-rules.ts";
export {
  type Check,
  type CheckName,
  type Checks,
  checkNames,
  exitCodes,
  type ReceiptReport,
  type Verdict,
  verdictOf,
  worstExit,
} from "./report.ts";
export { sha256 } from "./sha256.ts";
export {
  appendLeaves,
  type ChangedTile,
  edgeTiles,
  entryBundle,
  parseEntryBundle,
  parseTilePath,
  type TileId,
  type TileReader,
  tileKey,
  tileOf,
  tilePath,
  tileReader,
  tilesOf,
  tileWidth,
  tileWidthAt,
} from "./tiles.ts";
export { formatTlogProof, parseTlogProof, type TlogProof, tlogProofHeader } from "./tlog-proof.ts";
export {
  isTrustDocument,
  type KeyLife,
  type LogKey,
  lateCheckpoint,
  lateReceipt,
  publicKeyFromPem,
  type ReceiptKey,
  readTrust,
  type TrustDocument,
  type TrustedTenant,
  type TrustItem,
} from "./trust.ts";
export { createVerifier, type Verifier, type VerifyOptions, verifyReceipt } from "./verify.ts";
export type { EarlierCheckpoint } from "./verify-log.ts";
export { type Bytes, readZip, type Unpack, webUnpack } from "./zip.ts";
