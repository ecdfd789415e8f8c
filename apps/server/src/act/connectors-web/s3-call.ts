import { createHash } from "node:crypto";
import { AwsV4Signer } from "aws4fetch";
import { z } from "zod";
import { type CallContext, type OperationOutcome, secretReference, timeoutField } from "#act/connector-kit";
import { parseTarget } from "#platform/net";
import { callWeb, plainHeaders, textAt } from "./web-call.ts";
import { segment } from "./web-json.ts";
import { baseUrl } from "./web-site.ts";

export const s3Config = z.strictObject({
  /** The store's endpoint, without the bucket. */
  url: baseUrl,
  region: z.string().regex(/^[a-z0-9-]{1,60}$/),
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, { error: "must be the name of a bucket" }),
  accessKeyId: z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/),
  secretAccessKey: secretReference,
  sessionToken: secretReference.optional(),
  /** The bucket stands in the path, as most stores other than AWS want it; else before the host. */
  pathStyle: z.boolean().default(true),
  timeout: timeoutField.default(30_000),
  maxResponseBytes: z.int().min(1).max(52_428_800).optional(),
});
export type S3Settings = z.output<typeof s3Config>;

export interface S3Request {
  readonly method: "GET" | "PUT" | "DELETE";
  /** Empty: the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

function bucketUrl(settings: S3Settings): string {
  const url = parseTarget(settings.url);
  const base = `${url.host}${url.pathname.replace(/\/$/, "")}`;
  return settings.pathStyle
    ? `${url.protocol}//${base}/${settings.bucket}`
    : `${url.protocol}//${settings.bucket}.${base}`;
}

const urlOf = (settings: S3Settings, key: string): string =>
  `${bucketUrl(settings)}/${key.split("/").map(segment).join("/")}`;

/** `host/bucket/key`, escaped as it is sent. */
export const s3TargetOf = (settings: S3Settings, key: string): string =>
  urlOf(settings, key).replace(/^https?:\/\//, "");

/** A request signed with Signature Version 4. Repeating one changes nothing more. */
export async function s3Call(
  context: CallContext<S3Settings>,
  request: S3Request,
): Promise<OperationOutcome> {
  const { settings } = context.connection;
  const outcome = await callWeb(context, async () => {
    const secretAccessKey = await context.secrets(settings.secretAccessKey);
    const sessionToken =
      settings.sessionToken === undefined ? undefined : await context.secrets(settings.sessionToken);
    const url = new URL(urlOf(settings, request.key));
    // Not searchParams: that writes a space as "+", which stores do not sign.
    url.search = Object.entries(request.query ?? {})
      .map(([name, value]) => `${segment(name)}=${segment(value)}`)
      .join("&");
    const signed = await new AwsV4Signer({
      method: request.method,
      url: url.href,
      headers: {
        ...request.headers,
        "x-amz-content-sha256": createHash("sha256")
          .update(request.body ?? "")
          .digest("hex"),
      },
      accessKeyId: settings.accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      service: "s3",
      region: settings.region,
    }).sign();
    const headers = Object.fromEntries(signed.headers);
    delete headers.host; // the dialer sets it
    return {
      method: request.method,
      url: signed.url.href,
      headers: { ...plainHeaders, ...headers },
      body: request.body,
      read: request.method === "GET",
      idempotent: true,
      timeoutMs: settings.timeout,
      maxResponseBytes: settings.maxResponseBytes,
      secrets: [secretAccessKey, ...(sessionToken === undefined ? [] : [sessionToken])],
    };
  });
  return withStoreCode(outcome);
}

/** A refusal under the store's own code: `S3_NOSUCHKEY` says more than `HTTP_404`. */
function withStoreCode(outcome: OperationOutcome): OperationOutcome {
  if (outcome.status !== "failed") return outcome;
  const code = /<Code>([A-Za-z0-9.]{1,60})<\/Code>/.exec(textAt(outcome.error.details, "body"))?.[1];
  if (code === undefined) return outcome;
  const message = outcome.error.message.replace(/\.$/, `: ${code}.`);
  return { ...outcome, error: { ...outcome.error, code: `S3_${code.toUpperCase()}`, message } };
}
