import { XMLParser } from "fast-xml-parser";
import { failed, type OperationOutcome } from "#act/connector-kit";
import { completed, fieldAt, textAt, type WebAnswer } from "./web-call.ts";

const parser = new XMLParser({ parseTagValue: false, isArray: (name) => name === "Contents" });

/** An answer of ListObjectsV2. Hostile input enters here. */
export function listOf(answer: WebAnswer): OperationOutcome {
  const text = typeof answer.body === "string" ? answer.body : "";
  const result = /<!DOCTYPE/i.test(text) ? undefined : fieldAt(parser.parse(text), "ListBucketResult");
  if (result === undefined) return failed("S3_ANSWER_INVALID", "The store's answer is no list of objects.");
  const contents = fieldAt(result, "Contents");
  const objects = (Array.isArray(contents) ? contents : []).map((one: unknown) => ({
    key: textAt(one, "Key"),
    size: Number(textAt(one, "Size")) || 0,
    etag: textAt(one, "ETag"),
    modifiedAt: textAt(one, "LastModified"),
  }));
  return completed(answer, { objects, token: textAt(result, "NextContinuationToken") });
}
