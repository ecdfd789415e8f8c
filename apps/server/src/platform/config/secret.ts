import { inspect } from "node:util";

/**
 * A value that must not reach a log, an error or a screen: it prints as `[redacted]` wherever a value is
 * turned into text (templates, JSON, console, inspect). Only `reveal()` gives it away.
 */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return "[redacted]";
  }

  toJSON(): string {
    return "[redacted]";
  }

  [inspect.custom](): string {
    return "[redacted]";
  }
}

/** 32 bytes written as 64 hex digits or as base64 (either alphabet, padding optional); undefined otherwise. */
export function decodeKey(text: string): Uint8Array | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, "hex");
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return undefined;
  return Buffer.from(text, "base64");
}
