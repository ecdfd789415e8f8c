/** The other side of bundle-thread.ts: a workbench that answers one call after the other. */
import { parentPort } from "node:worker_threads";
import { isOarsError } from "#platform/kernel";
import type { ThreadAnswer, ThreadCall } from "./bundle-thread.ts";
import { drain } from "./check.ts";
import { createWorkbench, type Workbench } from "./workbench.ts";

const bench = createWorkbench();

/** The sender's types hold for what it sends: both sides are this server. */
function perform({ what, args }: ThreadCall): unknown {
  if (what === "examine") return drain(bench.examine(...(args as Parameters<Workbench["examine"]>)));
  if (what === "judge") return drain(bench.judge(...(args as Parameters<Workbench["judge"]>)));
  return drain(bench.explain(...(args as Parameters<Workbench["explain"]>)));
}

function answerTo(call: ThreadCall): ThreadAnswer {
  try {
    return { id: call.id, value: perform(call) };
  } catch (error) {
    if (isOarsError(error) && error.code === "POLICY_INVALID") return { id: call.id, invalid: error.errors };
    return { id: call.id, error: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on("message", (call: ThreadCall) => parentPort?.postMessage(answerTo(call)));
