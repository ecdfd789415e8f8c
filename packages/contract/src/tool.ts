import { z } from "zod";
import { principalId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { digest, instant, jsonObject, reason, resourceName, searchText } from "./scalar.ts";

/** What a call of a tool does; in the order of danger: read, write, execute, send, delete, pay. */
export const toolVerb = z
  .enum(["read", "write", "execute", "send", "delete", "pay"])
  .meta({ id: "ToolVerb" });

/** `<connection>/<operation>`. In a path the slash is written `%2F`. */
export const toolName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
    error: "must be <connection>/<operation>, for example wms/http.request",
  })
  .meta({ examples: ["wms/http.request"] });

const dataTypes = z.array(z.string().trim().min(1).max(60)).max(50);
const fieldNames = z.array(z.string().trim().min(1).max(100)).max(100);
const audience = z.enum(["requester", "readers"]);

/** What people said of a tool; null: what its connection and its operation say holds. */
export const toolOverrides = z
  .object({
    verb: toolVerb.nullable().meta({ description: "Taken for every call, whatever a call seems to do." }),
    risk: z.int().min(0).max(100).nullable(),
    dataTypes: dataTypes.nullable(),
    destructive: z.boolean().nullable(),
    openWorld: z.boolean().nullable(),
    redact: fieldNames.meta({
      description: "Fields that are removed from outputs before anybody gets them, at any depth.",
    }),
    outputs: audience.meta({
      description:
        "Who reads outputs besides holders of `actions:outputs`: who asked, or all who read actions.",
    }),
  })
  .meta({ id: "ToolOverrides" });

export const tool = z
  .object({
    name: toolName,
    source: z.enum(["connector"]),
    connection: z.string(),
    connector: z.string(),
    operation: z.string(),
    title: z.string(),
    description: z.string(),
    verbs: z
      .array(toolVerb)
      .meta({ description: "Those that a call can have; policy is asked with one of them." }),
    risk: z.int(),
    dataTypes: z.array(z.string()),
    environment: z.string(),
    destructive: z.boolean(),
    openWorld: z.boolean(),
    inputSchema: jsonObject.meta({ description: "JSON Schema of the arguments." }),
    outputSchema: jsonObject,
    digest: digest.meta({ description: "Of the definition: what a review accepts." }),
    status: z.enum(["active", "changed"]).meta({
      description:
        "`changed`: another tool than was reviewed. Its actions are quarantined until it is reviewed.",
    }),
    allowed: z.boolean().meta({ description: "Whether it is among the tools that the tenant may use." }),
    overrides: toolOverrides,
    reason: z.string().nullable(),
    reviewedBy: principalId.nullable(),
    reviewedAt: instant.nullable(),
    etag: z.string(),
  })
  .meta({ id: "Tool" });

export const toolFilter = pageQuery.extend({
  connection: resourceName.optional(),
  status: z.enum(["active", "changed"]).optional(),
  text: searchText.optional().meta({ description: "In the name, the title or the description." }),
});

/** Fields left out stay as they are; null takes an override back. */
export const patchToolRequest = z
  .strictObject({
    verb: toolVerb.nullable().optional(),
    risk: z.int().min(0).max(100).nullable().optional(),
    dataTypes: dataTypes.nullable().optional(),
    destructive: z.boolean().nullable().optional(),
    openWorld: z.boolean().nullable().optional(),
    redact: fieldNames.optional(),
    outputs: audience.optional(),
    reason: reason.optional().meta({ description: "Required where the tool comes to look more harmless." }),
  })
  .refine(({ reason: _, ...change }) => Object.values(change).some((value) => value !== undefined), {
    error: "must change something",
  })
  .meta({ id: "PatchToolRequest" });

export const reviewToolRequest = z
  .strictObject({
    digest: digest.meta({
      description: "The definition that was looked at; 412 when it is another one by now.",
    }),
    reason: reason.optional(),
  })
  .meta({ id: "ReviewToolRequest" });

export const toolAllowance = z
  .object({
    tools: z
      .array(z.string())
      .nullable()
      .meta({ description: "Null: no list, every tool is allowed. Empty: none is." }),
    updatedBy: principalId.nullable(),
    updatedAt: instant.nullable(),
    etag: z.string(),
  })
  .meta({ id: "ToolAllowance" });

export const putToolAllowanceRequest = z
  .strictObject({
    tools: z
      .array(z.string().min(1).max(201))
      .max(500)
      .meta({
        description: "`*`, a connector, an operation, `<connection>/*` or `<connection>/<operation>`.",
        examples: [["jira", "wms/http.request"]],
      }),
  })
  .meta({ id: "PutToolAllowanceRequest" });

export type ToolVerb = z.infer<typeof toolVerb>;
export type Tool = z.infer<typeof tool>;
export type ToolOverrides = z.infer<typeof toolOverrides>;
export type PatchToolRequest = z.input<typeof patchToolRequest>;
export type ReviewToolRequest = z.input<typeof reviewToolRequest>;
export type ToolAllowance = z.infer<typeof toolAllowance>;
export type PutToolAllowanceRequest = z.input<typeof putToolAllowanceRequest>;
