import type {
  ConsistencyProof,
  InclusionProof,
  InstanceTrust,
  LogStatus,
  WitnessProof,
} from "@oars/contract";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createLog = (transport: Transport) => ({
  /** The newest signed checkpoint of the tenant's log, as a C2SP note. */
  checkpoint: (options?: CallOptions): Promise<string> =>
    transport.text({ method: "GET", path: "/v1/log/checkpoint", accept: "text/plain", options }),
  /** Size, root, what waits, and what a self-check finds. */
  status: (options?: CallOptions): Promise<LogStatus> =>
    transport.json({ method: "GET", path: "/v1/log/status", options }),
  /** Proof that a receipt is in the log, also of one that retention has dropped. */
  inclusion: (receipt: string, options?: CallOptions): Promise<InclusionProof> =>
    transport.json({ method: "GET", path: withQuery("/v1/log/proof/inclusion", { receipt }), options }),
  /** Proof that the log of `from` leaves is the beginning of the log of `to` leaves, the newest when left out. */
  consistency: (range: { from: number; to?: number }, options?: CallOptions): Promise<ConsistencyProof> =>
    transport.json({ method: "GET", path: withQuery("/v1/log/proof/consistency", range), options }),
  /** Proof that witnesses saw a receipt's log; by default as many as the server is configured for. */
  witness: (query: { receipt: string; quorum?: number }, options?: CallOptions): Promise<WitnessProof> =>
    transport.json({ method: "GET", path: withQuery("/v1/log/proof/witness", query), options }),
  /** The log of logs and its witnesses: what a verifier pins of an installation. Needs no credential. */
  instance: (options?: CallOptions): Promise<InstanceTrust> =>
    transport.json({ method: "GET", path: "/v1/trust/instance", options }),
  /** The newest checkpoint of any log, by its tenant. Needs no credential. */
  checkpointOf: (log: string, options?: CallOptions): Promise<string> =>
    transport.text({ method: "GET", path: path`/log/${log}/checkpoint`, accept: "text/plain", options }),
});
