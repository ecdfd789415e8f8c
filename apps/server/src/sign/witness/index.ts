export type { Collected, WitnessPeer } from "./collect.ts";
export { createWitnessing, type Witnessing, type WitnessingDeps } from "./service.ts";
export type { WitnessAnswer } from "./witness.ts";
