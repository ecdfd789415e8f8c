import type { FastifyReply, FastifyRequest } from "fastify";
import type { ZodType } from "zod";
import type { Caller, Permission } from "#platform/access";
import type { ErrorCode } from "#platform/kernel";

/** Who may call a route: anybody, anybody with valid credentials, or who holds the permission. */
export type Access = "anonymous" | "authenticated" | Permission;

export interface Answer {
  readonly status: number;
  /** Schema of the JSON body; with `type` it describes that media type instead; absent for none. */
  readonly body?: ZodType;
  /** Media type other than application/json. */
  readonly type?: string;
  readonly description?: string;
}

export interface Context<P, Q, B> {
  /** Set on every route but anonymous ones. */
  readonly caller: Caller;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly requestId: string;
  readonly idempotencyKey: string | undefined;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Counts a request whose tenant shows late against that tenant's rate. Throws REQUEST_RATE_LIMITED. */
  readonly countTenant: (tenantId: string) => void;
}

/** What a body may be sent as. `raw` keeps the exact bytes of any type, for signatures over them. */
export type BodyForm = "json" | "json-or-yaml" | "raw";

export interface RequestHeader {
  readonly name: string;
  readonly description: string;
  readonly example: string;
}

export interface RouteSpec<S, P, Q, B> {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Canonical path with `:name` parameters. */
  readonly path: string;
  readonly access: Access;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly params?: ZodType<P>;
  readonly query?: ZodType<Q>;
  readonly body?: ZodType<B>;
  /** The documented schema of the body, where `body` itself has no JSON Schema. */
  readonly bodyDocument?: ZodType;
  readonly bodyForm?: BodyForm;
  readonly answer: Answer;
  /** A second success, for example a list in place of a stream. */
  readonly otherAnswers?: readonly Answer[];
  /** Which success an answer is, where there are several; its status is read from the body, also of a replayed one. */
  readonly statusOf?: (body: unknown) => number;
  /** The error for path parameters that cannot name anything: the same as for an unknown one. */
  readonly notFound?: ErrorCode;
  /**
   * `door`: the answer is kept under the Idempotency-Key and replayed. `service`: the key goes to the
   * service, which keeps it with its own rows. Absent: a key is ignored because repeating is harmless.
   */
  readonly idempotency?: "door" | "service";
  /** What is kept of an answer for replay, where the answer holds something shown once. */
  readonly replayable?: (body: unknown) => unknown;
  /** Not counted by the rate limit, and never refused for want of room. */
  readonly unlimited?: true;
  /** Refused first when the process has too much to do. */
  readonly startsWork?: true;
  /** An anonymous request that proves itself: one that fails to is counted by its peer address, no other is. */
  readonly signed?: true;
  /** Request headers that say how to answer, for the document. */
  readonly headers?: readonly RequestHeader[];
  /** Calls one service function. Its result is the JSON body, unless it answered through `reply` itself. */
  handle(services: S, context: Context<P, Q, B>): unknown;
}

/** A route with its types of input folded away: what the table holds. */
export type Route<S> = RouteSpec<S, unknown, unknown, unknown>;

/** Checks one route against its own schemas and folds its types for the table. */
export const routeFor =
  <S>() =>
  <P, Q, B>(spec: RouteSpec<S, P, Q, B>): Route<S> =>
    spec as Route<S>; // the pipeline parses with the same schemas whose outputs are P, Q and B
