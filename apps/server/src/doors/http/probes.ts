/** Health and metrics of a process that answers no API: the same paths and answers as those of one that does. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { OarsError } from "#platform/kernel";
import { isBearer, readinessBody } from "./operation-routes.ts";
import type { Services } from "./services.ts";

export interface ProbesDeps extends Pick<Services, "health" | "registry" | "version"> {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** What `/metrics` asks for; null: nothing. */
  readonly metricsToken: string | null;
}

export interface Probes {
  readonly url: string;
  close(): Promise<void>;
}

/** Errors: SERVER_ADDRESS_TAKEN. */
export async function listenProbes(deps: ProbesDeps): Promise<Probes> {
  const { host, port } = deps;
  const server = createServer((request, response) => {
    const path = request.url?.split("?")[0] ?? "";
    answer(deps, path, request.headers.authorization, response).catch(() => send(response, 500, "{}"));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const taken = new OarsError("SERVER_ADDRESS_TAKEN", { host, port }, { cause });
      reject(cause.code === "EADDRINUSE" ? taken : cause);
    });
    server.listen({ host, port }, resolve);
  });
  const bound = server.address() as AddressInfo; // it listens on TCP
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound.port}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  deps: ProbesDeps,
  path: string,
  authorization: string | undefined,
  response: ServerResponse,
): Promise<void> {
  switch (path) {
    case "/health/live":
      return send(response, 200, JSON.stringify({ live: true }));
    case "/health/ready":
    case "/api/health": {
      const report = await deps.health();
      return send(response, report.ready ? 200 : 503, readinessBody(report, deps.version));
    }
    case "/metrics": {
      if (deps.metricsToken !== null && !isBearer(authorization, deps.metricsToken))
        return send(response, 401, "{}");
      return send(response, 200, await deps.registry.metrics(), deps.registry.contentType);
    }
    default:
      return send(response, 404, "{}");
  }
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  type = "application/json; charset=utf-8",
): void {
  if (response.headersSent) return;
  response.writeHead(status, { "content-type": type }).end(body);
}
