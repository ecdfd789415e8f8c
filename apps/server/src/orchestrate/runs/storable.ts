import { toJsonText } from "#orchestrate/engine";
import type { Caller } from "#platform/access";
import { WriteSet } from "#platform/db";
import { OarsError } from "#platform/kernel";
import type { RunsDeps } from "./deps.ts";
import { readRun } from "./read.ts";

const refuse = (path: string, code: string, message: string): never => {
  throw new OarsError("REQUEST_INVALID", {}, { errors: [{ path, code, message }] });
};

/** JSON text of a value that the database can keep. Throws REQUEST_INVALID: U+0000, half a surrogate pair, too large. */
export function storable(path: string, value: unknown): string {
  const json = toJsonText(value);
  if ("fault" in json) return refuse(path, json.fault.code, json.fault.message);
  return json.text ?? "null";
}

/** What a journal entry holds of an output, and what is to be written with it. */
export interface Kept {
  readonly text: string;
  readonly along: WriteSet;
}

/** The output as the journal keeps it: a large one is kept beside it. Not inside a transaction. Throws RUN_NOT_FOUND. */
export async function keep(deps: RunsDeps, caller: Caller, runId: string, output: unknown): Promise<Kept> {
  const text = storable("output", output);
  const { tenantId } = caller;
  await readRun(deps, tenantId, runId); // nothing is kept for a run that is not there
  const along = new WriteSet();
  return { text: await deps.blobs.hold(along, { tenantId, runId }, text), along };
}

/** The output of a step with forEach is a list. Throws REQUEST_INVALID. */
export function requireList(path: string, value: unknown): void {
  if (!Array.isArray(value)) refuse(path, "invalid_type", "must be a list, as the step has forEach");
}
