import type { Json } from "#platform/kernel";
import { kindOf, limits } from "./transform.ts";

/** The first thing in a value that plain, storable JSON cannot hold. `path` is a JSON pointer. */
export interface PlainProblem {
  readonly kind: "TOO_DEEP" | "TOO_LARGE" | "KEY_FORBIDDEN" | "CHARACTER" | "NUMBER" | "VALUE";
  readonly path: string;
  readonly message: string;
}

export type Plain = { readonly ok: true; readonly value: Json } | ({ readonly ok: false } & PlainProblem);

class Refusal extends Error {
  readonly problem: PlainProblem;
  constructor(problem: PlainProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

/**
 * A deep copy as plain JSON that shares nothing with `value`. Refuses what is not JSON (functions,
 * undefined inside arrays, NaN), the key `__proto__` and foreign prototypes, U+0000 and lone surrogates
 * (PostgreSQL jsonb holds neither), and more than the depth, nodes and characters of `limits`.
 * Members that are undefined are left out. Costs one visit per value, however the value came about.
 */
export function toPlainJson(value: unknown): Plain {
  const copier = new Copier();
  try {
    return { ok: true, value: copier.copy(value, 0) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, ...error.problem };
    throw error;
  }
}

class Copier {
  #nodes = 0;
  #chars = 0;
  readonly #keys: (string | number)[] = [];

  copy(value: unknown, depth: number): Json {
    if (++this.#nodes > limits.nodes) throw this.#refuse("TOO_LARGE", `more than ${limits.nodes} values`);
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "string") return this.#text(value);
    if (typeof value === "number") {
      if (!Number.isFinite(value)) throw this.#refuse("NUMBER", `${value} is not a JSON number`);
      return value;
    }
    if (typeof value !== "object") throw this.#refuse("VALUE", `${kindOf(value)} is not JSON`);
    if (depth >= limits.depth) throw this.#refuse("TOO_DEEP", `nested deeper than ${limits.depth} levels`);
    return Array.isArray(value) ? this.#array(value, depth) : this.#object(value, depth);
  }

  #array(items: readonly unknown[], depth: number): Json[] {
    const copied: Json[] = [];
    for (let i = 0; i < items.length; i++) {
      this.#keys.push(i);
      copied.push(this.copy(items[i], depth + 1));
      this.#keys.pop();
    }
    return copied;
  }

  #object(members: object, depth: number): { [key: string]: Json } {
    // A prototype that has a prototype is no Object.prototype of any realm: `{"__proto__": …}` set it.
    const prototype: unknown = Object.getPrototypeOf(members);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw this.#refuse("KEY_FORBIDDEN", "it is not a plain object, or has the key __proto__");
    }
    const copied: { [key: string]: Json } = {};
    for (const [key, member] of Object.entries(members)) {
      if (member === undefined) continue;
      this.#keys.push(key);
      if (key === "__proto__") throw this.#refuse("KEY_FORBIDDEN", "the key __proto__ is not allowed");
      copied[this.#text(key)] = this.copy(member, depth + 1);
      this.#keys.pop();
    }
    return copied;
  }

  #text(text: string): string {
    this.#chars += text.length;
    if (this.#chars > limits.chars) throw this.#refuse("TOO_LARGE", `more than ${limits.chars} characters`);
    if (text.includes("\0")) throw this.#refuse("CHARACTER", "U+0000 cannot be stored");
    if (!text.isWellFormed()) throw this.#refuse("CHARACTER", "a surrogate without its pair is not text");
    return text;
  }

  #refuse(kind: PlainProblem["kind"], reason: string): Refusal {
    const path = this.#keys
      .map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`)
      .join("");
    return new Refusal({ kind, path, message: `${path === "" ? "The value" : path}: ${reason}.` });
  }
}
