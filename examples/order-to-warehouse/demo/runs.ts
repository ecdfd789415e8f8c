import type { RunWithSteps } from "@oars/contract";
import type { Api } from "./api.ts";
import { CheckFailed, present, until } from "./check.ts";

const endsWithinMs = 30_000;

/** Waits until the run has this status. Throws CheckFailed when it ends with another one. */
export function untilRun(api: Api, id: string, status: RunWithSteps["status"]): Promise<RunWithSteps> {
  return until(`run ${id} being ${status}`, endsWithinMs, async () => {
    const run = await api.run(id);
    if (run.status === status) return run;
    if (["completed", "failed", "aborted"].includes(run.status)) {
      throw new CheckFailed(`run ${id} is ${run.status}, not ${status}: ${JSON.stringify(run.error)}`);
    }
    return undefined;
  });
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
