export type { AllowedTool } from "./allowance.ts";
export type { Allowance } from "./allowances.ts";
export type { ReclassifyRequest } from "./changes.ts";
export {
  type Classification,
  type OutputAudience,
  type Overrides,
  outputAudiences,
  type Tool,
  type ToolStatus,
  toolName,
  verbsByDanger,
} from "./domain.ts";
export { type Catalogue, type CatalogueDeps, createCatalogue, type Standing } from "./service.ts";
