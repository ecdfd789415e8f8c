import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import type { OpenAPIV3 } from "openapi-types";

/**
 * Serves the document at /openapi.json and its page at /swagger-ui. The text is made once; the page's own
 * content security policy replaces the API's there.
 */
export async function serveDocumentation(
  app: FastifyInstance,
  document: Record<string, unknown>,
): Promise<void> {
  const text = JSON.stringify(document);
  app.get("/openapi.json", { config: { quiet: true } }, async (_request, reply) =>
    reply
      .header("content-type", "application/json; charset=utf-8")
      .header("cache-control", "no-cache")
      .send(text),
  );
  await app.register(swagger, {
    mode: "static",
    specification: { document: document as unknown as OpenAPIV3.Document }, // made by openApiOf; the plugin passes 3.1 through
  });
  await app.register(swaggerUi, {
    routePrefix: "/swagger-ui",
    staticCSP: true,
    transformStaticCSP: (policy) => policy.replace("upgrade-insecure-requests;", ""), // also served over http
  });
}
