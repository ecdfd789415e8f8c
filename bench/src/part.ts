/**
 * A part of a benchmark in a process of its own, so that no contender runs in the heap or on the event loop
 * of another. The parent calls it by name over the process channel; it ends when the parent does.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createProfiler } from "./profiler.ts";

/** What a part can be asked to do. */
export type Calls = Readonly<Record<string, (...args: never[]) => Promise<unknown>>>;

export interface Part<C extends Calls> extends AsyncDisposable {
  call<K extends keyof C & string>(name: K, ...args: Parameters<C[K]>): Promise<Awaited<ReturnType<C[K]>>>;
  /** Everything between the two is in the CPU profile that `stopProfile` writes to a file. */
  startProfile(): Promise<void>;
  stopProfile(path: string): Promise<void>;
  /** Ends it at once, as if its power had gone. */
  kill(): void;
}

interface Question {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}
type Reply = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string });

/** Starts the module `name` of this folder. Its standard output goes nowhere, its errors to ours. */
export function startPart<C extends Calls>(name: string): Part<C> {
  const file = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
  const child = fork(file, { stdio: ["ignore", "ignore", "inherit", "ipc"], serialization: "advanced" });
  const ask = questions(child, name);
  const letGo = (): void => void (child.connected && child.disconnect());
  process.once("SIGINT", letGo); // what waits for the part fails then, and everything is put away
  child.once("exit", () => process.off("SIGINT", letGo));
  return {
    call: (call, ...args) => ask(call, args) as never, // typed by the calls of the part
    startProfile: async () => void (await ask("startProfile", [])),
    stopProfile: async (path) => void (await ask("stopProfile", [path])),
    kill: () => void child.kill("SIGKILL"),
    [Symbol.asyncDispose]: () => end(child),
  };
}

function questions(child: ChildProcess, part: string): (name: string, args: unknown[]) => Promise<unknown> {
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let next = 0;
  child.on("message", (reply: Reply) => {
    const asked = open.get(reply.id);
    open.delete(reply.id);
    if ("error" in reply) asked?.reject(new Error(`${part}: ${reply.error}`));
    else asked?.resolve(reply.value);
  });
  child.on("exit", (code, signal) => {
    for (const { reject } of open.values()) reject(new Error(`${part} ended early: ${signal ?? code}`));
    open.clear();
  });
  return (name, args) =>
    new Promise((resolve, reject) => {
      const id = next++;
      open.set(id, { resolve, reject });
      const question: Question = { id, name, args };
      child.send(question, (error) => error && reject(error));
    });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  const hurry = setTimeout(() => child.kill("SIGKILL"), 15_000);
  if (child.connected) child.disconnect();
  await gone;
  clearTimeout(hurry);
}

/** In the part: answers the parent's calls until the parent lets go; then `close` runs and the process ends. */
export function answerCalls(calls: Calls, close: () => Promise<void>): void {
  const profiler = createProfiler();
  const all: Calls = { ...calls, startProfile: profiler.start, stopProfile: profiler.stop };
  const reply = (message: Reply): void => void (process.connected && process.send?.(message));
  process.on("message", async ({ id, name, args }: Question) => {
    try {
      reply({ id, value: await all[name]?.(...(args as never[])) }); // the parent's types fit
    } catch (error) {
      reply({ id, error: error instanceof Error ? `${error.stack}` : `${error}` });
    }
  });
  process.on("SIGINT", () => {}); // a terminal sends it to everybody; the parent decides
  process.once("disconnect", () => {
    process.once("uncaughtException", () => process.exit(1)); // nobody listens to what a broken end says
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}
