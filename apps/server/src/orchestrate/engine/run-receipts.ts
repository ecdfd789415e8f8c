/**
 * The receipts of a run's start and of its end. Each rides with the commit that makes it so: a run that is there has the
 * one, a run that has ended the other, whoever ended it. Whether a run has them is decided when it starts, and kept in
 * its row. Of the output they hold a salted digest, sealed with what else is about the person.
 */
import type { CompiledFlow } from "#orchestrate/flows";
import type { Caller } from "#platform/access";
import type { Tx, WriteSet } from "#platform/db";
import { digestOf } from "#platform/kernel";
import type { ReceiptDraft, Receipts } from "#sign/receipts";
import type { StepError } from "./domain.ts";
import type { StepKinds } from "./kinds.ts";

/** Runs that are signed where their flow does not say: all, those that may send an action, none. */
export type SignedRuns = "all" | "governed" | "none";

/** Ids are UUIDs. */
export interface SignedRun {
  readonly tenantId: string;
  readonly id: string;
  readonly flowName: string;
  readonly flowVersion: string;
  readonly flowHash: string;
}

export interface SignedEnd {
  readonly status: "completed" | "failed" | "aborted";
  /** JSON text; null for none. */
  readonly output?: string | null;
  readonly error?: Pick<StepError, "code"> | null;
}

export interface RunReceipts {
  /** Whether a run of this flow that starts now is signed. */
  wanted(flow: CompiledFlow): boolean;
  /** Adds the receipt of a start by this principal. */
  started(into: WriteSet, run: SignedRun & { readonly principalId: string }): Promise<void>;
  /** Adds the receipt of the end, written by the run's owner. */
  ended(into: WriteSet, run: SignedRun & { readonly principalId: string }, end: SignedEnd): Promise<void>;
}

export interface RunReceiptsDeps {
  readonly receipts: Pick<Receipts, "add">;
  readonly whoIs: (tenantId: string, principalId: string) => Promise<Caller>;
  readonly kinds: StepKinds;
  readonly signedRuns: SignedRuns;
}

export function createRunReceipts({ receipts, whoIs, kinds, signedRuns }: RunReceiptsDeps): RunReceipts {
  const known = new WeakMap<CompiledFlow, boolean>(); // asked at every start
  return {
    wanted: (flow) => {
      const before = known.get(flow);
      if (before !== undefined) return before;
      const said = flow.definition.receipts?.runs;
      const wanted = said ?? (signedRuns === "all" || (signedRuns === "governed" && isGoverned(flow, kinds)));
      known.set(flow, wanted);
      return wanted;
    },
    started: async (into, run) => {
      const starter = await whoIs(run.tenantId, run.principalId);
      await receipts.add(into, { ...about(run, starter), type: "run.started" });
    },
    ended: async (into, run, end) =>
      addRunEnd(receipts, into, run, end, await whoIs(run.tenantId, run.principalId)),
  };
}

/** Whether a step of it proposes actions, which policy decides on. */
const isGoverned = (flow: CompiledFlow, kinds: StepKinds): boolean =>
  flow.steps.some((step) => kinds.find(`${step.kind}@${step.kindVersion}`)?.mode === "effect");

/** Adds the receipt of an end. `starter` is whoever started the run; inside a transaction pass it as `within`. */
export async function addRunEnd(
  receipts: Pick<Receipts, "add">,
  into: WriteSet,
  run: SignedRun,
  end: SignedEnd,
  starter: Caller,
  within?: Tx,
): Promise<void> {
  const draft: ReceiptDraft = {
    ...about(run, starter),
    type: "run.finished",
    outcome: { status: outcomeOf[end.status], ...(end.error ? { code: end.error.code } : {}) },
    evidence: { observed: ["outcome.status"] },
    ...(end.status === "completed"
      ? { disclose: { output_digest: digestOfText(end.output ?? "null") } }
      : {}),
  };
  await receipts.add(into, draft, within);
}

const outcomeOf = { completed: "completed", failed: "failed", aborted: "cancelled" } as const;

/** Of the value, not of its text: the database gives it back with another order of names. */
const digestOfText = (json: string): string => digestOf(JSON.parse(json));

const about = (run: SignedRun, starter: Caller) => ({
  tenantId: run.tenantId,
  runId: run.id,
  flow: { name: run.flowName, version: run.flowVersion, hash: run.flowHash },
  principal: { id: starter.principalId, kind: starter.principalKind, ownerId: starter.ownerId },
});
