/**
 * API keys: `oars_<prefix>_<secret>`. The prefix (12 characters, 60 bits) finds the row and recognises the
 * key in lists; the secret (43 characters, 256 bits) proves it. The database keeps the SHA-256 of the whole
 * key: a random secret of 256 bits needs no slow hash. The fixed start lets secret scanners find leaked keys.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { sha256 } from "#platform/kernel";

export interface NewApiKey {
  /** Shown once. */
  readonly key: string;
  readonly prefix: string;
  readonly hash: Uint8Array;
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
const shape = /^oars_([a-z2-7]{12})_[A-Za-z0-9_-]{43}$/;

export function makeApiKey(): NewApiKey {
  const prefix = Array.from(randomBytes(12), (byte) => alphabet[byte & 31]).join("");
  const key = `oars_${prefix}_${randomBytes(32).toString("base64url")}`;
  return { key, prefix, hash: sha256(key) };
}

/** The prefix of a text that has the form of a key. */
export const prefixOf = (text: string): string | undefined => shape.exec(text)?.[1];

export const looksLikeApiKey = (text: string): boolean => text.startsWith("oars_");

/** In constant time. */
export const isKeyOf = (key: string, hash: Uint8Array): boolean => timingSafeEqual(sha256(key), hash);
