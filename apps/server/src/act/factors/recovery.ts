/** Recovery codes: 50 random bits each, kept as SHA-256, each good once in place of a TOTP code. */
import { randomBytes } from "node:crypto";
import { sha256 } from "#platform/kernel";
import { toBase32 } from "./totp.ts";

const many = 10;
const shape = /^[a-z2-7]{5}-?[a-z2-7]{5}$/i;

export const isRecoveryCode = (text: string): boolean => shape.test(text.trim());

export const newRecoveryCodes = (): string[] =>
  Array.from({ length: many }, () => {
    const text = toBase32(randomBytes(7)).slice(0, 10).toLowerCase();
    return `${text.slice(0, 5)}-${text.slice(5)}`;
  });

/** Written with or without the dash, in either case. */
export const hashOf = (code: string): Uint8Array =>
  sha256(`oars recovery code\n${code.trim().toLowerCase().replace("-", "")}`);
