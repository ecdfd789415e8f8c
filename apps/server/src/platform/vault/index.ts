export type { SecretAccess, SecretUse } from "./access-log.ts";
export type { SecretInfo } from "./domain.ts";
export { firstOf, type KeyService, kekIdOf, localKeys } from "./key-service.ts";
export {
  type Rotation,
  type RotationDeps,
  rewrapKeys,
  rotateDataKeys,
  type SealedRow,
  type SealedTable,
} from "./rotation.ts";
export { createVault, type Sealer, type Vault, type VaultDeps } from "./service.ts";
export { listKeks, sealedSecrets } from "./store.ts";
export { sealedSubjectKeys } from "./subject-keys.ts";
export { type TransitKeyOptions, transitKeys } from "./transit-service.ts";
