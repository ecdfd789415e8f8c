export type { StreamTiming } from "./event-stream.ts";
export { buildOpenApi, createHttp, type HttpDeps } from "./http.ts";
export { listenProbes, type Probes, type ProbesDeps } from "./probes.ts";
export { createSecrets, type Secrets } from "./secrets.ts";
export type { HealthReport, Services } from "./services.ts";
