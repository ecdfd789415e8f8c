import { OarsApiError } from "@oars/sdk";
import type { Printer } from "./print.ts";

/** A promise of the demo that did not hold. Its message is the last line that the demo prints. */
export class CheckFailed extends Error {
  override readonly name = "CheckFailed";
}

export interface Checks {
  /** Prints the promise when it holds, throws CheckFailed with what was found instead when it does not. */
  that(holds: boolean, promise: string, found?: unknown): void;
  count(): number;
}

export function createChecks(print: Printer): Checks {
  let held = 0;
  return {
    that: (holds, promise, found) => {
      if (!holds) {
        const instead = found === undefined ? "" : `; found ${JSON.stringify(found)}`;
        throw new CheckFailed(`does not hold: ${promise}${instead}`);
      }
      held += 1;
      print.held(promise);
    },
    count: () => held,
  };
}

/** Asks until the answer is there. Throws CheckFailed when it is not within `withinMs`. */
export async function until<T>(
  what: string,
  withinMs: number,
  ask: () => Promise<T | undefined>,
  everyMs = 40,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new CheckFailed(`${what} did not happen within ${withinMs} ms`);
    await new Promise((done) => setTimeout(done, everyMs));
  }
}

/** The value, or CheckFailed: for what must be there. */
export function present<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new CheckFailed(`${what} is missing`);
  return value;
}

/** The refusal that a request must meet. Throws CheckFailed when it is let through. */
export async function refusalOf(request: Promise<unknown>): Promise<OarsApiError> {
  try {
    await request;
  } catch (error) {
    if (error instanceof OarsApiError) return error;
    throw error;
  }
  throw new CheckFailed("a request was let through that must be refused");
}
