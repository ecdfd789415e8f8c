import { z } from "zod";
import { principalId } from "./id.ts";
import { fieldProblem } from "./problem.ts";
import { digest, instant, json, jsonObject } from "./scalar.ts";

/**
 * The body of `POST /v1/flows` and `/v1/flows/validate`: the definition as a JSON object, or its YAML text
 * with content type application/yaml. The definition's own schema is `flowDefinition`; its faults come
 * back all at once, with lines for YAML.
 */
export const flowSource = z.union([z.string().min(1), jsonObject]).meta({ id: "FlowSource" });

export const flowValidation = z
  .object({
    valid: z.boolean(),
    problems: z.array(fieldProblem),
    flow: z.string().optional(),
    version: z.string().optional(),
    hash: digest.optional(),
  })
  .meta({ id: "FlowValidation" });

/** One published version: immutable, named by the hash of its canonical JSON. */
export const flowVersion = z
  .object({
    flow: z.string(),
    version: z.string(),
    hash: digest,
    owner: z.string().nullable().optional(),
    definition: json.optional(),
    publishedBy: principalId.nullable().optional(),
    publishedAt: instant,
  })
  .meta({ id: "FlowVersion" });

/** A flow with its newest version. */
export const flow = z
  .object({
    flow: z.string(),
    latest: z.string(),
    hash: digest,
    versions: z.array(z.string()).optional(),
    publishedAt: instant,
  })
  .meta({ id: "Flow" });

export type FlowSource = z.input<typeof flowSource>;
export type FlowValidation = z.infer<typeof flowValidation>;
export type FlowVersion = z.infer<typeof flowVersion>;
export type Flow = z.infer<typeof flow>;
