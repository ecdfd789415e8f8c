import type { RunStatus } from "#orchestrate/engine";
import { OarsError } from "#platform/kernel";

/** What changes whenever a run moves: it is taken or given back, something comes for it, it ends, an operator acts. */
export interface RunMoves {
  readonly status: RunStatus;
  readonly epoch: number;
  readonly wakeSeq: number;
  readonly lastSeq: number;
}

/** Names one state of a run. Two reads give the same text only if nothing has moved the run in between. */
export const etagOf = (run: RunMoves): string => `${run.status}-${run.epoch}-${run.wakeSeq}-${run.lastSeq}`;

/** How a run stands, for whoever is refused. */
export const currentOf = (
  run: RunMoves & { readonly pausedAt: Date | null },
): Readonly<Record<string, unknown>> => ({
  status: run.status,
  etag: etagOf(run),
  ...(run.pausedAt ? { pausedAt: run.pausedAt.toISOString() } : {}),
});

/** Throws PRECONDITION_FAILED, with how the run stands, unless one of the tags is its own. `undefined` asks for nothing. */
export function requireMatch(
  run: RunMoves & { readonly pausedAt: Date | null },
  ifMatch: readonly string[] | undefined,
): void {
  if (ifMatch === undefined || ifMatch.includes("*") || ifMatch.includes(etagOf(run))) return;
  throw new OarsError("PRECONDITION_FAILED", {}, { current: currentOf(run) });
}
