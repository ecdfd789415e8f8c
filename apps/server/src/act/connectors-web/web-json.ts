import type { WebAuth } from "#act/connector-auth";
import type { CallContext, OperationOutcome } from "#act/connector-kit";
import { callWeb, plainHeaders } from "./web-call.ts";

export interface JsonRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly url: string;
  /** Sent as JSON; absent: no body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Changes nothing, whatever the method. */
  readonly read?: boolean;
  readonly idempotent?: boolean;
  readonly expected?: readonly number[];
}

/** A call of a JSON interface with the credentials of the connection. GET is a read. */
export const callJson = (
  context: CallContext,
  settings: { readonly auth?: WebAuth | undefined; readonly timeout: number },
  request: JsonRequest,
): Promise<OperationOutcome> =>
  callWeb(context, () => {
    const read = request.read ?? request.method === "GET";
    return {
      method: request.method,
      url: request.url,
      headers: {
        ...plainHeaders,
        ...(request.body === undefined ? {} : { "content-type": "application/json" }),
        ...request.headers,
      },
      body: request.body === undefined ? undefined : JSON.stringify(request.body),
      read,
      idempotent: read || (request.idempotent ?? false),
      expected: request.expected,
      timeoutMs: settings.timeout,
      auth: settings.auth,
    };
  });

/** A segment of a path: nothing in it can leave its place. */
export const segment = (text: string | number): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
