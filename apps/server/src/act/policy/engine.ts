/**
 * The Cedar engine: one instance of the WebAssembly build. Owns its life; does not own what is asked of it.
 *
 * An instance whose stack overflowed or that panicked is unusable for everyone after it (measured: the next
 * call on any input fails with `memory access out of bounds`), so a crash replaces it (5-15 ms) and is
 * reported as EngineCrash. Text of tenants is therefore read by another instance than the one that decides,
 * and reaches the deciding one only after it was bounded and checked.
 */
import { createRequire } from "node:module";

export type Cedar = typeof import("@cedar-policy/cedar-wasm/nodejs");

export interface Engine {
  /** As receipts name it: `cedar-wasm/4.13.0`. */
  readonly version: string;
  /** Counts the instances: what was preparsed in an earlier one is gone. */
  generation(): number;
  /** Runs `fn` on the instance. Throws EngineCrash when the instance died and was replaced. */
  use<T>(fn: (cedar: Cedar) => T): T;
}

export class EngineCrash extends Error {
  constructor(cause: unknown) {
    super("the policy engine ran out of stack or memory", { cause });
    this.name = "EngineCrash";
  }
}

const moduleName = "@cedar-policy/cedar-wasm/nodejs";

export function createEngine(): Engine {
  let cedar = newInstance();
  let generation = 0;
  return {
    version: `cedar-wasm/${cedar.getCedarSDKVersion()}`,
    generation: () => generation,
    use(fn) {
      try {
        return fn(cedar);
      } catch (cause) {
        if (!isCrash(cause)) throw cause;
        cedar = newInstance();
        generation += 1;
        throw new EngineCrash(cause);
      }
    },
  };
}

/** The package keeps one instance per loaded module, so a new instance is a new load of the module. */
function newInstance(): Cedar {
  const require = createRequire(import.meta.url);
  delete require.cache[require.resolve(moduleName)];
  return require(moduleName) as Cedar; // the package's own declaration of this very file
}

/** A trap in WebAssembly, or the JavaScript stack that it shares. Ordinary errors leave it usable. */
const isCrash = (cause: unknown): boolean =>
  cause instanceof RangeError || (cause instanceof Error && cause.name === "RuntimeError");
