/**
 * Room for requests. What is under way is bounded by number and by bytes, so that a flood costs answers of 503 and
 * not memory; where memory or the event loop of the process is at its limit, nothing new is started. Health and
 * metrics are never refused, and a quarter of the room is kept for those who look and operate.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { OarsError } from "#platform/kernel";
import type { Route } from "./route.ts";

export interface BackPressureOptions {
  /** Requests under way that start work; others may be a quarter more. */
  readonly maxRequests: number;
  /** Of bodies under way, as they are announced. */
  readonly maxBytes: number;
  /** What a body without an announced length counts for. */
  readonly bodyLimit: number;
  /** Whether the process can take on more work. */
  readonly isOverloaded: () => boolean;
}

export interface BackPressure {
  /** Takes room for a request of this route until its answer has ended. Throws SERVER_BUSY. */
  entrance<S>(route: Route<S>): (request: FastifyRequest, reply: FastifyReply) => void;
  /** Requests under way. */
  underWay(): number;
}

export function createBackPressure(options: BackPressureOptions): BackPressure {
  const { maxRequests, maxBytes, bodyLimit, isOverloaded } = options;
  let requests = 0;
  let bytes = 0;
  return {
    entrance: (route) => {
      const most = route.startsWork ? maxRequests : maxRequests + Math.ceil(maxRequests / 4);
      const streams = route.otherAnswers?.some((a) => a.type === "text/event-stream") === true;
      if (streams) return () => {}; // they stay open for hours and take turns with nobody
      return (request, reply) => {
        const size = announced(request, bodyLimit);
        if (requests >= most || bytes + size > maxBytes || (route.startsWork && isOverloaded()))
          throw new OarsError("SERVER_BUSY", { seconds: 1 });
        requests++;
        bytes += size;
        reply.raw.once("close", () => {
          requests--;
          bytes -= size;
        });
      };
    },
    underWay: () => requests,
  };
}

function announced(request: FastifyRequest, bodyLimit: number): number {
  const { "content-length": length, "transfer-encoding": coding } = request.headers;
  if (length !== undefined) return Math.min(Number(length) || 0, bodyLimit); // more is refused before it is read
  return coding === undefined ? 0 : bodyLimit;
}
