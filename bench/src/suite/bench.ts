/** What a part of the full suite works with. Everything that it starts ends with it. */
import type { Databases } from "../databases.ts";
import type { Store } from "../options.ts";
import { type Calls, type Part, startPart } from "../part.ts";
import type { Outcome } from "./outcome.ts";

export interface Bench {
  readonly databases: Databases;
  readonly stores: readonly Store[];
  readonly rounds: number;
  /** The first size, or the second one where the suite only shows that it works. */
  size(full: number, trial: number): number;
  /** Starts that module of contenders in a process of its own. */
  start<C extends Calls>(name: string): Part<C>;
  /** Where our store is: a new database of the server, or null for an embedded one. */
  place(store: Store, name: string): Promise<string | null>;
  say(text: string): void;
}

export interface SuitePart {
  readonly id: string;
  readonly title: string;
  /** It is given up after so long. */
  readonly limitSeconds: number;
  run(bench: Bench): Promise<Outcome>;
}

export interface BenchOptions {
  readonly databases: Databases;
  readonly stores: readonly Store[];
  readonly rounds: number;
  readonly trial: boolean;
  readonly say: (text: string) => void;
}

/** Runs the part; in any case nothing of it is left running. */
export async function runPart(part: SuitePart, options: BenchOptions): Promise<Outcome> {
  const started: Part<Calls>[] = [];
  const { databases } = options;
  const bench: Bench = {
    ...options,
    size: (full, trial) => (options.trial ? trial : full),
    start: <C extends Calls>(name: string) => {
      const child = startPart<C>(`contenders/${name}`);
      started.push(child);
      return child;
    },
    place: async (store, name) => (store === "postgres" ? databases.create(name) : null),
    say: (text) => options.say(`${part.id}: ${text}`),
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `${part.id} took longer than ${part.limitSeconds} s`;
    timer = setTimeout(() => reject(new Error(message)), part.limitSeconds * 1000);
  });
  const work = part.run(bench);
  work.catch(() => {}); // its calls fail when it was given up
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    await Promise.all(started.map((child) => child[Symbol.asyncDispose]()));
  }
}
