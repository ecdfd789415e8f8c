export type { CatalogueControl, Framework } from "./catalogue.ts";
export type { CoverageQuery, CoverageReport } from "./coverage.ts";
export type { ControlMapping, MappingInput, Pack, PackKind, PackState } from "./domain.ts";
export type { PackRequest } from "./packs.ts";
export type { Schedule } from "./schedules.ts";
export { createEvidence, type Evidence, type EvidenceDeps } from "./service.ts";
