import type { FastifyReply, FastifyRequest } from "fastify";
import { type IdempotencyKeys, idempotencyKeyOf, underKey } from "./idempotency.ts";
import { inputReader } from "./input.ts";
import type { RateLimits } from "./rate-limit.ts";
import { applyReceiptMode, type Settle } from "./receipt-durability.ts";
import { type DoorEvents, originOf } from "./refusals.ts";
import type { Answer, Context, Route } from "./route.ts";

type Around = Pick<RateLimits, "countTenant"> & {
  readonly events?: DoorEvents | undefined;
  readonly settle?: Settle | undefined;
};

/**
 * What happens to an admitted request: read and check its input, run the handler once (under its
 * Idempotency-Key where the route keeps one), send the answer. Everything that can be is made ahead.
 */
export function pipeline<S>(route: Route<S>, services: S, keys: IdempotencyKeys, limits: Around) {
  const read = inputReader(route);
  const send = sender(route.answer, route.statusOf);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const input = read(request);
    const idempotencyKey = route.idempotency === undefined ? undefined : idempotencyKeyOf(request);
    const context = {
      caller: request.caller as Context<unknown, unknown, unknown>["caller"], // null only on anonymous routes
      params: input.params,
      query: input.query,
      body: input.body,
      requestId: request.id,
      idempotencyKey,
      request,
      reply,
      countTenant: limits.countTenant,
    };
    const run = async () =>
      route.idempotency === "door" && idempotencyKey !== undefined
        ? underKey(
            keys,
            { route, caller: context.caller, key: idempotencyKey, input, request, reply },
            async () => route.handle(services, context),
          )
        : route.handle(services, context);
    const body = await (limits.events === undefined ? run() : limits.events.within(originOf(request), run));
    if (reply.sent) return reply;
    if (limits.settle && request.caller && route.method !== "GET")
      await applyReceiptMode(limits.settle, request.caller.tenantId, request, reply);
    return send(reply, body);
  };
}

function sender(
  answer: Answer,
  statusOf: (body: unknown) => number = () => answer.status,
): (reply: FastifyReply, body: unknown) => FastifyReply {
  const { status } = answer;
  if (answer.body === undefined && answer.type === undefined) {
    return (reply) => reply.code(status).send();
  }
  if (answer.type !== undefined) {
    const type = answer.type;
    return (reply, body) => reply.code(status).header("content-type", type).send(body);
  }
  return (reply, body) =>
    reply
      .code(statusOf(body))
      .header("content-type", "application/json; charset=utf-8")
      .send(JSON.stringify(body));
}
