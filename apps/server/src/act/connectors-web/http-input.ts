import { z } from "zod";
import { connectionField, isJson } from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import { headerProblem } from "./http-headers.ts";
import { pathProblem } from "./http-path.ts";

const scalar = z.union([z.string(), z.number(), z.boolean()]);

export const queryField = z.record(z.string(), z.union([scalar, z.array(scalar).max(100)]));

export const pathField = z.string().superRefine((text, context) => {
  const message = pathProblem(text);
  if (message !== undefined) context.addIssue({ code: "custom", message });
});

export const headersField = z.record(z.string(), z.string().max(4_000)).superRefine((fields, context) => {
  for (const [name, value] of Object.entries(fields)) {
    const message = headerProblem(name, value);
    if (message !== undefined) context.addIssue({ code: "custom", path: [name], message });
  }
});

/** The input of `http.request`. */
export const httpInput = z
  .strictObject({
    connection: connectionField,
    method: z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]).default("POST"),
    /** Below the connection's base URL. */
    path: pathField,
    query: queryField.optional(),
    headers: headersField.optional(),
    /** Text is sent as it is, anything else as JSON. */
    body: z.custom<Json>(isJson, { error: "must be text or JSON, at most 100 levels deep" }).optional(),
    /** Which statuses are a success; 200 to 299 when absent. */
    expect: z
      .strictObject({ status: z.array(z.int().min(200).max(599)).min(1).max(20).optional() })
      .optional(),
  })
  .refine((input) => input.body === undefined || (input.method !== "GET" && input.method !== "HEAD"), {
    path: ["body"],
    error: "GET and HEAD carry no body; use query, or another method",
  });

export type HttpInput = z.output<typeof httpInput>;
