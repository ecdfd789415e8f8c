import { z } from "zod";
import { flowVersionId, principalId } from "./id.ts";
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
    id: flowVersionId,
    flow: z.string(),
    version: z.string(),
    hash: digest,
    owner: z.string().nullable(),
    publishedBy: principalId,
    publishedAt: instant,
  })
  .meta({ id: "FlowVersion" });

/** `created` is false when exactly this version had been published before. */
export const publishedFlowVersion = flowVersion
  .extend({ created: z.boolean() })
  .meta({ id: "PublishedFlowVersion" });

export const flowVersionDetail = flowVersion
  .extend({
    definition: json,
    source: z.string().nullable().meta({ description: "The text as published; null when it was JSON." }),
  })
  .meta({ id: "FlowVersionDetail" });

/** A flow with its highest version, and all versions, the highest first. */
export const flowSummary = flowVersion.extend({ versions: z.array(z.string()) }).meta({ id: "FlowSummary" });

export type FlowSource = z.input<typeof flowSource>;
export type FlowValidation = z.infer<typeof flowValidation>;
export type FlowVersion = z.infer<typeof flowVersion>;
export type PublishedFlowVersion = z.infer<typeof publishedFlowVersion>;
export type FlowVersionDetail = z.infer<typeof flowVersionDetail>;
export type FlowSummary = z.infer<typeof flowSummary>;
