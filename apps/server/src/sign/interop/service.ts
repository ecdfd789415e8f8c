/**
 * A receipt in the formats of other tools. The receipt itself is the same everywhere; where a format needs a
 * signature of its own (DSSE, COSE), the tenant's active keys make it when it is asked for.
 */
import {
  cloudEventsType,
  encodeCoseReceipt,
  encodeCoseStatement,
  receiptTyp,
  toCloudEvent,
  toDsse,
} from "@oars/receipts";
import { isOarsError, sha256 } from "#platform/kernel";
import type { Log } from "#sign/log";
import type { Receipts } from "#sign/receipts";

export type ExportFormat = "jws" | "sd-jwt" | "tlog-proof" | "dsse" | "cose" | "cloudevents";

export interface Export {
  /** Media type. */
  readonly type: string;
  readonly body: string | Uint8Array;
}

export interface Interop {
  /**
   * `disclose` shows sensitive members in the formats that have a place for them: SD-JWT and tlog-proof. Errors:
   * RECEIPT_NOT_FOUND; RECEIPT_NOT_LOGGED for a tlog-proof of a receipt that has no place yet. A COSE statement of
   * such a receipt carries no COSE receipt.
   */
  write(
    tenantId: string,
    receiptId: string,
    format: ExportFormat,
    show: { readonly disclose: boolean },
  ): Promise<Export>;
}

export interface SigningKey {
  readonly kid: string;
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

export interface InteropDeps {
  readonly receipts: Pick<Receipts, "find" | "sdJwt">;
  readonly log: Pick<Log, "tlogProof" | "inclusion">;
  /** The tenant's active keys. */
  readonly keys: (tenantId: string) => Promise<{ readonly receipt: SigningKey; readonly log: SigningKey }>;
}

export function createInterop({ receipts, log, keys }: InteropDeps): Interop {
  const coseReceipt = async (tenantId: string, receiptId: string, key: SigningKey): Promise<Uint8Array[]> => {
    try {
      const proof = await log.inclusion(tenantId, receiptId);
      return [await encodeCoseReceipt({ ...proof, kid: key.kid }, (message) => key.sign(message))];
    } catch (error) {
      if (isOarsError(error) && error.code === "RECEIPT_NOT_LOGGED") return [];
      throw error;
    }
  };
  return {
    write: async (tenantId, receiptId, format, show) => {
      if (format === "tlog-proof") {
        const body = await log.tlogProof(tenantId, receiptId, show);
        return { type: "text/plain; charset=utf-8", body };
      }
      if (format === "sd-jwt") {
        return { type: "application/sd-jwt", body: await receipts.sdJwt(tenantId, receiptId, show) };
      }
      const { jws } = await receipts.find(tenantId, receiptId);
      if (format === "jws") return { type: "application/jose", body: jws };
      if (format === "cloudevents") {
        return { type: `${cloudEventsType}; charset=utf-8`, body: JSON.stringify(toCloudEvent(jws)) };
      }
      const { receipt, log: logKey } = await keys(tenantId);
      if (format === "dsse") {
        const envelope = await toDsse(jws, receipt.kid, (message) => receipt.sign(message), sha256);
        return { type: "application/vnd.dsse.envelope.v1+json", body: JSON.stringify(envelope) };
      }
      const statement = {
        jws,
        kid: receipt.kid,
        receipts: await coseReceipt(tenantId, receiptId, logKey),
      };
      const body = await encodeCoseStatement(statement, (message) => receipt.sign(message));
      return { type: `application/cose; cose-type="cose-sign1"`, body };
    },
  };
}

/** Media types under which the formats are asked for with `Accept`. */
export const mediaTypes: Readonly<Record<string, ExportFormat>> = {
  "application/jose": "jws",
  "application/sd-jwt": "sd-jwt",
  [`application/${receiptTyp}`]: "sd-jwt",
  "text/plain": "tlog-proof",
  "application/vnd.dsse.envelope.v1+json": "dsse",
  "application/cose": "cose",
  [cloudEventsType]: "cloudevents",
};
