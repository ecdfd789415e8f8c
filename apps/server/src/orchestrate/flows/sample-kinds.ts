/** Step kinds for tests of the language: one of each sort that the checks tell apart. */
import { z } from "zod";
import type { StepKindCatalogue, StepKindInfo } from "./step-kinds.ts";

const kinds: readonly StepKindInfo[] = [
  {
    name: "map",
    version: 1,
    pure: true,
    config: z.strictObject({ value: z.unknown(), mode: z.enum(["strict", "loose"]).optional() }),
  },
  { name: "xml.parse", version: 1, pure: true, config: z.strictObject({ text: z.string().min(1) }) },
  {
    name: "http.request",
    version: 2,
    pure: false,
    config: z.strictObject({
      connection: z.string(),
      path: z.string().startsWith("/"),
      method: z.enum(["GET", "POST"]).default("GET"),
      headers: z.record(z.string(), z.string()).optional(),
      body: z.unknown().optional(),
      retries: z.int().max(5).optional(),
      token: z.string().optional().meta({ secret: true }),
    }),
  },
  {
    name: "wait",
    version: 1,
    pure: false,
    config: z.strictObject({
      for: z.string().optional(),
      until: z.iso.datetime().optional(),
      signal: z
        .string()
        .regex(/^[a-z]+$/)
        .optional(),
      timeout: z.string().optional(),
      schema: z.json().optional(),
    }),
  },
  {
    name: "flow",
    version: 1,
    pure: false,
    config: z.strictObject({
      flow: z.string(),
      version: z.string().optional(),
      params: z.record(z.string(), z.json()).optional(),
    }),
  },
];

export const sampleKinds: StepKindCatalogue = {
  find: (use) => kinds.find((kind) => kind.name === use || `${kind.name}@${kind.version}` === use),
  names: () => kinds.map(({ name }) => name),
};
