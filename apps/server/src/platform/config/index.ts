export { type Keys, loadOrCreateKeys } from "./keys.ts";
export { type Config, type Environment, loadConfig } from "./load.ts";
export { decodeKey, Secret } from "./secret.ts";
export { type Preset, type Variable, type VariableName, variables } from "./variables.ts";
