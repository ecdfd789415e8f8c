import { z } from "zod";
import { isHeaderName, secretReference } from "#act/connector-kit";

const header = z
  .string()
  .refine(isHeaderName, { error: "must be the name of a header that a client may set" });

/** What may stand in braces in `canonical` and `value`. */
export const placeholders = [
  "method",
  "host",
  "path",
  "query",
  "sortedQuery",
  "url",
  "body",
  "bodySha256",
  "bodySha256Base64",
  "timestamp",
  "nonce",
  "keyId",
  "signature",
] as const;

const template = z
  .string()
  .min(1)
  .max(2_000)
  .superRefine((text, context) => {
    for (const [, name = ""] of text.matchAll(/\{([^{}]*)\}/g)) {
      const known = placeholders.some((one) => one === name) || /^header\.[A-Za-z0-9-]{1,100}$/.test(name);
      if (!known)
        context.addIssue({
          code: "custom",
          message: `{${name.slice(0, 40)}} is not one of {${placeholders.join("}, {")}} and {header.<name>}`,
        });
    }
  });

/** A signature over a text that is made of the request. Line breaks are `\n`. */
export const signatureSchema = z
  .strictObject({
    secret: secretReference,
    /** How the secret's text becomes the key. */
    secretEncoding: z.enum(["utf8", "hex", "base64"]).default("utf8"),
    algorithm: z.enum(["sha256", "sha384", "sha512", "sha1"]).default("sha256"),
    encoding: z.enum(["hex", "base64", "base64url"]).default("hex"),
    canonical: template.default("{method}\n{path}\n{sortedQuery}\n{timestamp}\n{bodySha256}"),
    header: header.default("x-signature"),
    /** The header's value. */
    value: template.default("{signature}"),
    keyId: z.string().min(1).max(200).optional(),
    timestamp: z
      .strictObject({
        header: header.default("x-timestamp"),
        format: z.enum(["unix", "unix_ms", "iso", "http"]).default("unix"),
      })
      .optional(),
    nonceHeader: header.optional(),
  })
  .superRefine((spec, context) => {
    const complain = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    if (spec.canonical.includes("{signature}")) complain("canonical", "cannot hold {signature}");
    if (!spec.value.includes("{signature}")) complain("value", "must hold {signature}");
    if (spec.value.includes("{body}")) complain("value", "cannot hold {body}");
    const used = spec.canonical + spec.value;
    if (used.includes("{nonce}") && spec.nonceHeader === undefined)
      complain("nonceHeader", "is needed by {nonce}");
    if (used.includes("{keyId}") && spec.keyId === undefined) complain("keyId", "is needed by {keyId}");
    if (used.includes("{timestamp}") && spec.timestamp === undefined)
      complain("timestamp", "is needed by {timestamp}: the other side must learn the time");
  });

export type SignatureSpec = z.output<typeof signatureSchema>;
