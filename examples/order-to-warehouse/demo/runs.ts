import { hasEnded, type Listing, type OarsClient, type RunWithSteps } from "@oars/sdk";
import { CheckFailed, present } from "./check.ts";

const endsWithinMs = 30_000;

/** Waits until the run has this status. Throws CheckFailed when it settles in another one. */
export async function untilRun(
  client: OarsClient,
  id: string,
  status: RunWithSteps["status"],
): Promise<RunWithSteps> {
  const until = hasEnded(status) ? "ended" : "settled";
  const run = await client.runs.wait(id, { until, timeoutMs: endsWithinMs });
  if (run.status === status) return run;
  throw new CheckFailed(`run ${id} is ${run.status}, not ${status}: ${JSON.stringify(run.error)}`);
}

/** Every item of a list, over all its pages. */
export async function allOf<T>(listing: Listing<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of listing) items.push(item);
  return items;
}

/** What a step of flow.yaml left; the caller names the shape that the flow gives it. */
export const outputOf = <T>(run: RunWithSteps, step: string): T =>
  present(run.steps.find((s) => s.name === step)?.output, `output of step ${step}`) as T; // by flow.yaml

export interface Item {
  readonly currency: string;
  readonly orderValueMinor: number;
  readonly lines: readonly unknown[];
  readonly metadata: { readonly documentId: string; readonly orderId: string };
}

export interface Scored {
  readonly id: string;
  readonly name: string;
  readonly score: number;
  readonly distanceKm: number;
  readonly distanceAssumed: boolean;
  readonly inStock: boolean;
}

export interface Routed {
  readonly chosen: Scored;
  readonly alternatives: readonly (Scored & { readonly behind: string })[];
}

export interface Shipped {
  readonly status: number;
  readonly body: { readonly shipmentId: string };
}
