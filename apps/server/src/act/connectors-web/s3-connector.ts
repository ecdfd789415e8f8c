import { z } from "zod";
import { type Connector, connectionField, defineOperation, type OperationOutcome } from "#act/connector-kit";
import { type S3Settings, s3Call, s3Config, s3TargetOf } from "./s3-call.ts";
import { listOf } from "./s3-list.ts";
import { completed, onAnswer, reportOf } from "./web-call.ts";

const connection = connectionField;

/** Hostile input enters here: a key becomes a path, and must stay the object that policy has seen. */
const key = z
  .string()
  .min(1)
  .max(1_024)
  .refine((text) => !/\p{Cc}/u.test(text) && text.isWellFormed(), {
    error: "must not hold control characters",
  })
  .refine((text) => !text.split("/").some((part) => part === "." || part === ".."), {
    error: 'must not hold "." or ".." segments',
  });

const putInput = z.strictObject({
  connection,
  key,
  /** Text, or base64 with `base64: true`. */
  body: z.string().max(20_000_000),
  base64: z.boolean().default(false),
  contentType: z
    .string()
    .regex(/^[\w.+-]+\/[\w.+-]+(?:;\s*[\w-]+=[\w-]+)*$/)
    .default("text/plain; charset=utf-8"),
});
const keyInput = z.strictObject({ connection, key });
const listInput = z.strictObject({
  connection,
  prefix: z.string().max(1_024).default(""),
  max: z.int().min(1).max(1_000).default(100),
  token: z.string().max(2_000).optional(),
});

const put = defineOperation<S3Settings, z.output<typeof putInput>>({
  name: "s3.put_object",
  title: "Store an object",
  description: "Stores an object, or replaces the one of that key.",
  verbs: ["write"],
  input: putInput,
  output: z.looseObject({ etag: z.string() }),
  meaning: (settings, input) => ({
    verb: "write",
    target: s3TargetOf(settings, input.key),
    idempotent: true,
    problems:
      input.base64 && !/^[A-Za-z0-9+/]*={0,2}$/.test(input.body)
        ? [{ path: "input.body", code: "BASE64", message: "must be base64" }]
        : [],
  }),
  async execute(context, input) {
    const body = Buffer.from(input.body, input.base64 ? "base64" : "utf8");
    const headers = { "content-type": input.contentType };
    const outcome = await s3Call(context, { method: "PUT", key: input.key, body, headers });
    return onAnswer(outcome, (answer) => completed(answer, { etag: answer.headers.etag ?? "" }));
  },
  emulate: () => ({ etag: '"emulated"' }),
});

const get = defineOperation<S3Settings, z.output<typeof keyInput>>({
  name: "s3.get_object",
  title: "Read an object",
  description: "Reads an object; what is no text comes as base64.",
  verbs: ["read"],
  input: keyInput,
  output: z.looseObject({ body: z.json(), base64: z.boolean(), contentType: z.string() }),
  meaning: (settings, input) => ({ verb: "read", target: s3TargetOf(settings, input.key), idempotent: true }),
  execute: async (context, input) =>
    onAnswer(await s3Call(context, { method: "GET", key: input.key }), (answer) =>
      completed(answer, {
        body: answer.body ?? "",
        base64: answer.base64 ?? false,
        contentType: answer.headers["content-type"] ?? "",
        etag: answer.headers.etag ?? "",
      }),
    ),
  emulate: () => ({ body: "", base64: false, contentType: "text/plain" }),
});

const remove = defineOperation<S3Settings, z.output<typeof keyInput>>({
  name: "s3.delete_object",
  title: "Delete an object",
  description: "Deletes an object; one that is not there counts as deleted.",
  verbs: ["delete"],
  input: keyInput,
  output: z.looseObject({ key: z.string() }),
  meaning: (settings, input) => ({
    verb: "delete",
    target: s3TargetOf(settings, input.key),
    idempotent: true,
  }),
  execute: async (context, input) =>
    onAnswer(await s3Call(context, { method: "DELETE", key: input.key }), (answer) =>
      completed(answer, { key: input.key }),
    ),
  emulate: (_connection, input) => ({ key: input.key }),
});

const listQuery = (input: { prefix: string; max: number; token?: string | undefined }) => ({
  "list-type": "2",
  "max-keys": String(input.max),
  ...(input.prefix === "" ? {} : { prefix: input.prefix }),
  ...(input.token === undefined ? {} : { "continuation-token": input.token }),
});

const list = defineOperation<S3Settings, z.output<typeof listInput>>({
  name: "s3.list_objects",
  title: "List objects",
  description: "Lists objects whose keys begin with a prefix.",
  verbs: ["read"],
  input: listInput,
  output: z.looseObject({ objects: z.array(z.json()), token: z.string() }),
  meaning: (settings, input) => ({
    verb: "read",
    target: s3TargetOf(settings, encodeURI(input.prefix)),
    idempotent: true,
  }),
  execute: async (context, input): Promise<OperationOutcome> =>
    onAnswer(await s3Call(context, { method: "GET", key: "", query: listQuery(input) }), listOf),
  emulate: () => ({ objects: [], token: "" }),
});

/** Objects of one bucket of any S3-compatible store. */
export const s3Connector: Connector<S3Settings> = {
  name: "s3",
  title: "S3-compatible storage",
  description: "Stores, reads, lists and deletes objects of one bucket.",
  docs: "https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html",
  auth: ["access_key"],
  configSchema: s3Config,
  operations: {
    "s3.put_object": put,
    "s3.get_object": get,
    "s3.delete_object": remove,
    "s3.list_objects": list,
  },
  factSpecs: () => [],
  secretNames: ({ secretAccessKey, sessionToken }) => [
    secretAccessKey,
    ...(sessionToken === undefined ? [] : [sessionToken]),
  ],
  async test(context) {
    const query = listQuery({ prefix: "", max: 1 });
    const outcome = await s3Call(context, { method: "GET", key: "", query });
    return reportOf(outcome, s3TargetOf(context.connection.settings, ""));
  },
  fixtures: {
    config: {
      url: "https://s3.eu-central-1.amazonaws.com",
      region: "eu-central-1",
      bucket: "oars-exports",
      accessKeyId: "AKIAIOSFODNN7EXAMPLE",
      secretAccessKey: "vault:s3-secret",
    },
    inputs: {
      "s3.put_object": [
        {
          input: { key: "orders/7 a.json", body: "{}" },
          shape: {
            verb: "write",
            target: "s3.eu-central-1.amazonaws.com/oars-exports/orders/7%20a.json",
            idempotent: true,
          },
        },
      ],
      "s3.get_object": [{ input: { key: "orders/7.json" }, shape: { verb: "read" } }],
      "s3.delete_object": [{ input: { key: "orders/7.json" }, shape: { verb: "delete", idempotent: true } }],
      "s3.list_objects": [{ input: { prefix: "orders/" }, shape: { verb: "read" } }],
    },
  },
};
