import { durationMs } from "@oars/contract";
import { z } from "zod";
import { isNetError, parseTarget } from "#platform/net";
import { fixedHeaderProblem, isHeaderName, isHeaderValue, lowerCased } from "./http-headers.ts";

/** `vault:NAME` -> NAME. A value that is not a reference is a secret in the wrong place: it is never repeated. */
const secretReference = z
  .string()
  .regex(/^vault:[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
    error: 'must name a secret, like "vault:wms-token"; store its value with PUT /v1/secrets/wms-token',
  })
  .transform((text) => text.slice("vault:".length));

const baseUrl = z.string().superRefine((text, context) => {
  try {
    const url = parseTarget(text);
    if (url.search !== "" || url.hash !== "")
      context.addIssue({ code: "custom", message: "must end before ? and #" });
    if (/\/\/|%2f|%5c/i.test(url.pathname)) {
      context.addIssue({ code: "custom", message: "must not hold // or encoded slashes in its path" });
    }
  } catch (error) {
    context.addIssue({
      code: "custom",
      message: isNetError(error) ? error.message : "must be an http or https URL",
    });
  }
});

const headers = z.record(z.string(), z.string().max(4_000)).superRefine((fields, context) => {
  for (const [name, value] of Object.entries(fields)) {
    const message = fixedHeaderProblem(name, value);
    if (message !== undefined) context.addIssue({ code: "custom", path: [name], message });
  }
});

const headerName = z
  .string()
  .refine(isHeaderName, { error: "must be the name of a header that a client may set" });

const username = z.string().refine((text) => !text.includes(":") && isHeaderValue(text), {
  error: "must be text without a colon or line breaks",
});

const auth = z
  .strictObject({
    bearer: secretReference.optional(),
    basic: z.strictObject({ username: username, password: secretReference }).optional(),
    header: z.strictObject({ name: headerName, value: secretReference }).optional(),
  })
  .refine((ways) => Object.values(ways).filter((way) => way !== undefined).length === 1, {
    error: "must hold exactly one of bearer, basic and header",
  });

const timeout = z
  .union([z.int(), z.string().transform((text) => durationMs(text) ?? -1)])
  .refine((ms) => ms >= 1 && ms <= 600_000, {
    error: "must be from 1 ms to 10 minutes: a duration such as 30s, or a number of milliseconds",
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
    headers: headers.default({}),
    auth: auth.optional(),
    /** Set it only when the other side honours it: POST and PATCH are then retried with the same key. */
    idempotencyHeader: headerName.optional(),
    timeout: timeout.default(30_000),
    maxResponseBytes: z.int().min(1).max(52_428_800).optional(),
    facts: facts.default([]),
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
        [...Object.keys(lowerCased(fixed)), rest.auth?.header?.name.toLowerCase(), idempotencyHeader].filter(
          (name) => name !== undefined,
        ),
      ),
    };
  });

export type HttpSettings = z.output<typeof httpConfig>;
export type HttpAuth = NonNullable<HttpSettings["auth"]>;
export type FactRule = HttpSettings["facts"][number];
