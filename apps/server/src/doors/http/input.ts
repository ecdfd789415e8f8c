import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { type FieldProblem, OarsError } from "#platform/kernel";
import type { Route } from "./route.ts";
import { fieldProblemsOf } from "./zod-problems.ts";

export interface Input {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

const nothing = z.strictObject({}).optional();
/** Issues then hold the value, so that a missing field can be told from a wrong one. It is never sent back. */
const showInput = { reportInput: true };

/**
 * A reader of one route's input, made once. Parameters that cannot name anything give the route's
 * `notFound`, like an unknown name; all faults of query and body come together in one REQUEST_INVALID.
 */
export function inputReader<S>(route: Route<S>): (request: FastifyRequest) => Input {
  const query = route.query ?? z.strictObject({});
  const body = route.body ?? nothing;
  const readsBody = route.method !== "GET" && route.bodyForm !== "raw";
  const withoutQuery = query.safeParse({}, showInput); // what most requests have
  return (request) => {
    const params = paramsOf(route, request.params);
    const problems: FieldProblem[] = [];
    const queryRead = isEmpty(request.query) ? withoutQuery : query.safeParse(request.query, showInput);
    if (!queryRead.success) problems.push(...fieldProblemsOf(queryRead.error, "query"));
    const bodyRead = readsBody ? body.safeParse(request.body, showInput) : undefined;
    if (bodyRead?.success === false) problems.push(...fieldProblemsOf(bodyRead.error, ""));
    if (problems.length > 0) throw new OarsError("REQUEST_INVALID", {}, { errors: problems });
    return { params, query: queryRead.data, body: bodyRead === undefined ? request.body : bodyRead.data };
  };
}

function isEmpty(object: unknown): boolean {
  for (const _ in object as object) return false; // the parsed query
  return true;
}

function paramsOf<S>(route: Route<S>, params: unknown): unknown {
  if (route.params === undefined) return undefined;
  const read = route.params.safeParse(params);
  if (read.success) return read.data;
  if (route.notFound === undefined) {
    throw new OarsError("REQUEST_INVALID", {}, { errors: fieldProblemsOf(read.error, "path") });
  }
  throw new OarsError(route.notFound, nameParams(params));
}

/** Path parameters as error parameters, shortened: a message shows what was asked for. */
function nameParams(params: unknown): Record<string, string> {
  const entries = Object.entries(params ?? {}).map(([k, v]) => [k, String(v).slice(0, 100)]);
  return Object.fromEntries(entries);
}
