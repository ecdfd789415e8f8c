import { z } from "zod";
import { authHeaders, headerName, webAuth } from "#act/connector-auth";
import { timeoutField } from "#act/connector-kit";
import { parseTarget } from "#platform/net";
import { lowerCased } from "./http-headers.ts";
import { pathProblem } from "./http-path.ts";
import { baseUrl, fixedHeaders } from "./web-site.ts";

const testPath = z.string().superRefine((text, context) => {
  const message = pathProblem(text);
  if (message !== undefined) context.addIssue({ code: "custom", message });
});

export const factPath = /^(?:method|path|(?:query|headers|body)(?:\.[A-Za-z0-9_-]{1,100}){1,10})$/;

const fact = z.strictObject({
  name: z.string().regex(/^(?!__)[A-Za-z_][A-Za-z0-9_]{0,63}$/, {
    error: 'must be letters, digits and underscores, at most 64, not starting with a digit or "__"',
  }),
  type: z.enum(["long", "string", "bool"]),
  path: z.string().regex(factPath, {
    error: "must be method, path, or a dotted path such as body.order.total, query.dryRun, headers.x-region",
  }),
  required: z.boolean().default(false),
});

const facts = z
  .array(fact)
  .max(50)
  .superRefine((list, context) => {
    for (const [index, { name }] of list.entries()) {
      if (list.findIndex((other) => other.name === name) === index) continue;
      context.addIssue({ code: "custom", path: [index, "name"], message: `fact ${name} is declared twice` });
    }
  });

/** The config of an `http` connection, and the settings that its operations work with. */
export const httpConfig = z
  .strictObject({
    baseUrl,
    headers: fixedHeaders.default({}),
    auth: webAuth.optional(),
    /** Set it only when the other side honours it: POST and PATCH are then retried with the same key. */
    idempotencyHeader: headerName.optional(),
    timeout: timeoutField.default(30_000),
    maxResponseBytes: z.int().min(1).max(52_428_800).optional(),
    facts: facts.default([]),
    /** What a test of the connection gets, below the base URL. */
    testPath: testPath.default("/"),
  })
  .transform(({ baseUrl: base, headers: fixed, ...rest }) => {
    const url = parseTarget(base);
    const idempotencyHeader = rest.idempotencyHeader?.toLowerCase();
    return {
      ...rest,
      idempotencyHeader,
      origin: url.origin,
      host: url.host,
      basePath: url.pathname.replace(/\/$/, ""),
      headers: lowerCased(fixed),
      /** Header names that belong to the connection: a caller may not set them. */
      owned: new Set(
        [...Object.keys(lowerCased(fixed)), ...authHeaders(rest.auth), idempotencyHeader].filter(
          (name) => name !== undefined,
        ),
      ),
    };
  });

export type HttpSettings = z.output<typeof httpConfig>;
export type FactRule = HttpSettings["facts"][number];
