import type { Job, JobStarted } from "@oars/contract";
import { type Listing, wholeListing } from "./listing.ts";
import { path } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createSystem = (transport: Transport) => ({
  /** The background jobs of the installation, by name. */
  jobs: (options?: CallOptions): Listing<Job> =>
    wholeListing(() => transport.json({ method: "GET", path: "/v1/system/jobs", options })),
  /** Starts a job now and does not wait for its end. Rejects with JOB_RUNNING while it runs somewhere. */
  runJob: (name: string, options?: CallOptions): Promise<JobStarted> =>
    transport.json({ method: "POST", path: path`/v1/system/jobs/${name}/run`, options }),
});
