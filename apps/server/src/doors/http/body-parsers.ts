import type { FastifyInstance, FastifyRequest } from "fastify";
import { OarsError } from "#platform/kernel";
import { parseJsonBody, textOf } from "./json-body.ts";
import type { BodyForm } from "./route.ts";

/**
 * Sets which content types the routes of one scope read, replacing what the framework reads by itself.
 * Anything else answers 415 before a byte of the body is kept. A charset other than UTF-8 is refused too.
 */
export function useBodyForm(scope: FastifyInstance, form: BodyForm): void {
  scope.removeAllContentTypeParsers();
  if (form === "raw") {
    scope.addContentTypeParser("*", { parseAs: "buffer" }, async (_request: unknown, bytes: Buffer) => bytes);
    return;
  }
  scope.addContentTypeParser(
    "application/json",
    { parseAs: "buffer" },
    async (request: FastifyRequest, bytes: Buffer) => {
      requireUtf8(request.headers["content-type"]);
      return parseJsonBody(bytes);
    },
  );
  if (form === "json-or-yaml") {
    scope.addContentTypeParser(
      yamlTypes,
      { parseAs: "buffer" },
      async (request: FastifyRequest, bytes: Buffer) => {
        requireUtf8(request.headers["content-type"]);
        return textOf(bytes);
      },
    );
  }
}

/** Requests that no route takes are answered without reading their bodies, whatever they say those are. */
export function ignoreBodies(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
}

const yamlTypes = ["application/yaml", "text/yaml"];

function requireUtf8(contentType: string | undefined): void {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType ?? "")?.[1];
  if (charset === undefined || /^(utf-?8|us-ascii)$/i.test(charset)) return;
  throw new OarsError("REQUEST_MEDIA_TYPE", { type: contentType ?? "", accepted: "UTF-8 text" });
}
