import type { z } from "zod";

/** What the flow language must know of a step kind. The rooms that run kinds provide them. */
export interface StepKindInfo {
  readonly name: string;
  readonly version: number;
  /** True when it computes from its input alone, so that it may run again without harm. */
  readonly pure: boolean;
  /** Shape of `with` after expressions are rendered. A field may be marked `.meta({ secret: true })`. */
  readonly config: z.ZodType;
}

export interface StepKindCatalogue {
  /** By name, which means the newest version, or by `name@version`. */
  find(use: string): StepKindInfo | undefined;
  names(): string[];
}
