export { createLog, type InclusionProof, type Log, type LogDeps, type Show } from "./service.ts";
