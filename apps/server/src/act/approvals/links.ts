/**
 * Links to an approval for mail and chat. The token is sealed (AES-256-GCM), for one purpose, and expires; it names an
 * approval and gives no right whatever: the page behind it asks for the approver's own credentials.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { type Clock, isUuid, OarsError } from "#platform/kernel";

export interface ApprovalLinks {
  /** An address to send to people. `ttlMs` at most 30 days. */
  make(
    tenantId: string,
    approvalId: string,
    ttlMs: number,
  ): { readonly url: string; readonly expiresAt: Date };
  /** What a token names. Errors: APPROVAL_LINK_NOT_FOUND. */
  open(token: string): { readonly tenantId: string; readonly approvalId: string; readonly expiresAt: Date };
}

const purpose = "oars-approval-page-1";
const longestMs = 30 * 86_400_000;
const longest = 1_000;

export function createApprovalLinks(deps: {
  /** 32 bytes that all processes of the installation share; the key of links is derived from it. */
  readonly secret: Uint8Array;
  readonly publicUrl: string;
  readonly clock: Clock;
}): ApprovalLinks {
  const key = new Uint8Array(hkdfSync("sha256", deps.secret, "", purpose, 32));
  return {
    make: (tenantId, approvalId, ttlMs) => {
      const expiresAt = new Date(deps.clock.now().getTime() + Math.min(ttlMs, longestMs));
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(purpose));
      const text = JSON.stringify([tenantId, approvalId, expiresAt.getTime()]);
      const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      const token = Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url");
      return { url: `${deps.publicUrl.replace(/\/+$/, "")}/approve/${token}`, expiresAt };
    },
    open: (token) => {
      const [tenantId, approvalId, until] = read(key, token);
      if (!(until > deps.clock.now().getTime())) throw new OarsError("APPROVAL_LINK_NOT_FOUND");
      return { tenantId, approvalId, expiresAt: new Date(until) };
    },
  };
}

/** Hostile input. */
function read(key: Uint8Array, token: string): [string, string, number] {
  try {
    if (token.length > longest || !/^[A-Za-z0-9_-]+$/.test(token)) throw new RangeError("no token");
    const bytes = Buffer.from(token, "base64url");
    const open = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12), { authTagLength: 16 })
      .setAAD(Buffer.from(purpose))
      .setAuthTag(bytes.subarray(12, 28));
    const text = Buffer.concat([open.update(bytes.subarray(28)), open.final()]).toString("utf8");
    const [tenantId, approvalId, until] = JSON.parse(text) as unknown[]; // what `make` sealed
    if (!isUuid(String(tenantId)) || !isUuid(String(approvalId))) throw new RangeError("no ids");
    return [String(tenantId), String(approvalId), Number(until)];
  } catch (cause) {
    throw new OarsError("APPROVAL_LINK_NOT_FOUND", {}, { cause });
  }
}
