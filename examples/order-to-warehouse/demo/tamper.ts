/** A forger at work: one byte of one signed receipt, everything else as it was. */
import type { ReceiptBundle } from "@oars/sdk";
import { CheckFailed } from "./check.ts";

export interface Change {
  readonly bundle: ReceiptBundle;
  /** Counted from 1. */
  readonly place: number;
  readonly what: string;
}

const before = '"http":201';
const after = '"http":301';

/** Makes the warehouse system's 201 a 301 in the receipt of the execution. */
export function changeOneByte(bundle: ReceiptBundle): Change {
  for (const [i, item] of bundle.items.entries()) {
    const proof = withPayload(item.proof, (payload) => payload.replace(before, after));
    if (proof === item.proof) continue;
    const items = bundle.items.map((kept, k) => (k === i ? { ...kept, proof } : kept));
    return { bundle: { ...bundle, items }, place: i + 1, what: `${before} is now ${after}` };
  }
  throw new CheckFailed(`no receipt of the bundle says ${before}`);
}

/** A proof carries its receipt as `extra <base64 of an SD-JWT>`, whose second part is the signed text. */
function withPayload(proof: string, change: (payload: string) => string): string {
  return proof.replace(/^extra (.+)$/m, (_line, extra: string) => {
    const [header = "", payload = "", ...rest] = Buffer.from(extra, "base64").toString("utf8").split(".");
    const changed = change(Buffer.from(payload, "base64url").toString("utf8"));
    const parts = [header, Buffer.from(changed, "utf8").toString("base64url"), ...rest];
    return `extra ${Buffer.from(parts.join("."), "utf8").toString("base64")}`;
  });
}
