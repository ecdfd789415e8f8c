import { hash } from "node:crypto";
import canonicalize from "canonicalize";

/** A JSON value as RFC 8785 defines it. Functions, undefined, NaN and infinities are not JSON. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** RFC 8785 (JCS) text of a value. Throws TypeError on values that JSON cannot hold. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("value has no JSON form");
  return text;
}

/** In one call: a hash object costs half as much again. */
export const sha256 = (data: string | Uint8Array): Buffer => hash("sha256", data, "buffer");

/** `sha256:<hex>` of the RFC 8785 text: the form in which flows, actions and bundles are named by content. */
export const digestOf = (value: unknown): string => `sha256:${hash("sha256", canonicalJson(value), "hex")}`;
