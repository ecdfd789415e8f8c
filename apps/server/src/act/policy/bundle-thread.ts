/**
 * One thread for work on bundles that would hold up the event loop. It begins with the first call, ends after
 * `idleMs` without one, and does not keep the process alive. A call that takes longer than `callMs`, and a
 * thread that dies, fail the calls under way; the next call begins a new thread.
 */
import { Worker } from "node:worker_threads";
import { type FieldProblem, OarsError } from "#platform/kernel";
import type { Workbench } from "./workbench.ts";

type Calls = {
  readonly [K in "examine" | "judge" | "explain"]: Workbench[K] extends (
    ...args: infer A
  ) => Generator<void, infer R>
    ? { readonly args: A; readonly result: R }
    : never;
};

export interface ThreadCall {
  readonly id: number;
  readonly what: keyof Calls;
  readonly args: readonly unknown[];
}

export type ThreadAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly invalid: readonly FieldProblem[] }
  | { readonly id: number; readonly error: string };

export interface BundleThread {
  run<K extends keyof Calls>(what: K, args: Calls[K]["args"]): Promise<Calls[K]["result"]>;
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (reason: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export function createBundleThread({ idleMs = 20_000, callMs = 120_000 } = {}): BundleThread {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;
  let last = 0;

  const settle = (id: number): Waiting | undefined => {
    const found = waiting.get(id);
    clearTimeout(found?.timer);
    waiting.delete(id);
    return found;
  };
  const end = async (why: Error): Promise<void> => {
    clearTimeout(idle);
    const ended = worker;
    worker = undefined;
    for (const id of [...waiting.keys()]) settle(id)?.reject(why);
    await ended?.terminate();
  };
  const rest = (): void => {
    worker?.unref();
    idle = setTimeout(() => void end(new Error("the thread ended")), idleMs).unref();
  };
  const begin = (): Worker => {
    const made = new Worker(new URL("./bundle-thread-main.ts", import.meta.url), {
      execArgv: ["--conditions=oars-source", "--disable-warning=ExperimentalWarning"],
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    });
    made.on("message", (answer: ThreadAnswer) => {
      const found = settle(answer.id);
      if ("value" in answer)
        found?.resolve(answer.value as never); // the thread answers the call of that id
      else if ("invalid" in answer)
        found?.reject(new OarsError("POLICY_INVALID", {}, { errors: answer.invalid }));
      else found?.reject(new Error(answer.error));
      if (waiting.size === 0) rest();
    });
    made.on("error", (cause) => {
      if (worker === made) void end(new Error("the thread for policy bundles died", { cause }));
    });
    return made;
  };
  return {
    run: (what, args) =>
      new Promise((resolve, reject) => {
        clearTimeout(idle);
        worker ??= begin();
        worker.ref();
        const id = ++last;
        const timer = setTimeout(() => void end(tooLong()), callMs).unref();
        waiting.set(id, { resolve, reject, timer });
        worker.postMessage({ id, what, args } satisfies ThreadCall);
      }),
    close: () => end(new Error("the server stops")),
  };
}

const tooLong = (): OarsError =>
  new OarsError(
    "POLICY_INVALID",
    {},
    {
      errors: [
        { path: "cedar", code: "POLICY_TIME", message: "The check takes too long; split the policies." },
      ],
    },
  );
