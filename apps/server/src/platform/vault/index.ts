export type { SecretInfo } from "./domain.ts";
export { createVault, type Sealer, type Vault, type VaultDeps } from "./service.ts";
