import { type DocumentNode, GraphQLError, Kind, type OperationDefinitionNode, parse } from "graphql";
import { z } from "zod";
import { authSecrets } from "#act/connector-auth";
import {
  type Connector,
  connectionField,
  defineOperation,
  failed,
  isJson,
  type OperationContext,
  type OperationOutcome,
} from "#act/connector-kit";
import type { FieldProblem, Json } from "#platform/kernel";
import { completed, fieldAt, onAnswer, reportOf, type WebAnswer } from "./web-call.ts";
import { callJson } from "./web-json.ts";
import { fixedHeaders, siteFields, siteOf } from "./web-site.ts";

const config = z.strictObject({ ...siteFields, headers: fixedHeaders.default({}) });
type Settings = z.output<typeof config>;

const input = z.strictObject({
  connection: connectionField,
  /** One document. With several operations, `operationName` says which one runs. */
  query: z.string().min(1).max(100_000),
  variables: z
    .custom<Record<string, Json>>((value) => isJson(value) && typeof value === "object" && value !== null, {
      error: "must be a JSON object",
    })
    .optional(),
  operationName: z.string().min(1).max(200).optional(),
});
type Input = z.output<typeof input>;

const output = z.looseObject({ data: z.json(), errors: z.array(z.json()).optional() });

/** The operation that runs, or why none can. Hostile input enters here: what runs decides the verb. */
function operationOf(from: Input): OperationDefinitionNode | FieldProblem {
  const problem = (code: string, message: string): FieldProblem => ({ path: "input.query", code, message });
  let document: DocumentNode;
  try {
    document = parse(from.query, { maxTokens: 20_000 });
  } catch (error) {
    const at = error instanceof GraphQLError ? (error.locations?.[0] ?? {}) : {};
    return { ...problem("GRAPHQL_SYNTAX", error instanceof Error ? error.message : "is not GraphQL"), ...at };
  }
  const all = document.definitions.filter((one) => one.kind === Kind.OPERATION_DEFINITION);
  const fitting =
    from.operationName === undefined ? all : all.filter((one) => one.name?.value === from.operationName);
  const [only, more] = fitting;
  if (only !== undefined && more === undefined) return only;
  return problem("GRAPHQL_OPERATION", "must hold one operation, or `operationName` must name one of them");
}

function operation(kind: "query" | "mutation", name: string, title: string, description: string) {
  return defineOperation<Settings, Input>({
    name,
    title,
    description,
    verbs: [kind === "query" ? "read" : "write"],
    input,
    output,
    meaning(settings, from) {
      const found = operationOf(from);
      const site = siteOf(settings.url);
      const verb = kind === "query" ? "read" : "write";
      if ("message" in found) return { verb, target: site, idempotent: false, problems: [found] };
      const message = `holds a ${found.operation}, and ${name} runs a ${kind}`;
      const fields = found.selectionSet.selections.map((one) =>
        one.kind === Kind.FIELD ? one.name.value : "...",
      );
      return {
        verb,
        target: `${site}#${[...new Set(fields)].sort().join(",")}`,
        idempotent: kind === "query",
        problems: found.operation === kind ? [] : [{ path: "input.query", code: "GRAPHQL_KIND", message }],
      };
    },
    execute: (context, from) => run(context, from, kind),
    emulate: () => ({ data: {} }),
  });
}

async function run(
  context: OperationContext<Settings>,
  from: Input,
  kind: "query" | "mutation",
): Promise<OperationOutcome> {
  const { settings } = context.connection;
  const { query, variables, operationName } = from;
  const outcome = await callJson(context, settings, {
    method: "POST",
    url: settings.url,
    headers: { ...settings.headers, accept: "application/graphql-response+json, application/json" },
    body: { query, variables, operationName },
    read: kind === "query",
  });
  return onAnswer(outcome, (answer) => resultOf(answer, context.connection.name, kind));
}

/**
 * GraphQL 2021 §7.1: without `data` nothing was executed. With `data: null` a mutation was, and how far cannot
 * be told.
 */
function resultOf(answer: WebAnswer, connection: string, kind: "query" | "mutation"): OperationOutcome {
  const data = fieldAt(answer.body, "data");
  const errors = fieldAt(answer.body, "errors");
  const list = Array.isArray(errors) && isJson(errors) ? errors : [];
  if (data !== undefined && data !== null && isJson(data))
    return completed(answer, { data, ...(list.length === 0 ? {} : { errors: list }) });
  const first = fieldAt(list[0], "message");
  const message = `${connection} answered: ${typeof first === "string" ? first.slice(0, 500) : "no data"}.`;
  if (kind === "mutation" && data === null) {
    return {
      status: "unknown",
      error: { code: "GRAPHQL_ERRORS", message, retry: "terminal", details: list },
    };
  }
  return failed("GRAPHQL_ERRORS", message, { details: list });
}

/** Calls one GraphQL endpoint. */
export const graphqlConnector: Connector<Settings> = {
  name: "graphql",
  title: "GraphQL",
  description: "Runs queries and mutations at one GraphQL endpoint.",
  docs: "https://spec.graphql.org/October2021/",
  auth: ["none", "bearer", "basic", "header"],
  configSchema: config,
  operations: {
    "graphql.query": operation(
      "query",
      "graphql.query",
      "Run a query",
      "Reads with one GraphQL query; a mutation is refused.",
    ),
    "graphql.mutate": operation(
      "mutation",
      "graphql.mutate",
      "Run a mutation",
      "Changes something with one GraphQL mutation.",
    ),
  },
  factSpecs: () => [],
  secretNames: (settings) => authSecrets(settings.auth),
  async test(context) {
    const from = { connection: context.connection.name, query: "{ __typename }" };
    const outcome = await run({ ...context, idempotencyKey: "" }, from, "query");
    return reportOf(outcome, siteOf(context.connection.settings.url));
  },
  fixtures: {
    config: { url: "https://shop.example.com/graphql", auth: { bearer: "vault:shop-token" } },
    inputs: {
      "graphql.query": [
        {
          input: { query: "query Q($id: ID!) { order(id: $id) { total } }", variables: { id: "7" } },
          shape: { verb: "read", target: "shop.example.com/graphql#order", idempotent: true },
        },
      ],
      "graphql.mutate": [
        {
          input: { query: "mutation { cancelOrder(id: 7) { id } }" },
          shape: { verb: "write", target: "shop.example.com/graphql#cancelOrder", idempotent: false },
        },
      ],
    },
  },
};
