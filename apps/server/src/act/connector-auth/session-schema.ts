import { z } from "zod";
import { secretReference } from "#act/connector-kit";
import { endpoint } from "./endpoint.ts";

const field = z.union([
  secretReference.transform((secret) => ({ secret })),
  z
    .string()
    .max(1_000)
    .refine((text) => !text.startsWith("vault:"))
    .transform((text) => ({ text })),
]);

/** A login whose answer sets cookies. Passwords stand in `fields` as `vault:<name>`. */
export const sessionSchema = z.strictObject({
  loginUrl: endpoint,
  format: z.enum(["form", "json"]).default("form"),
  fields: z.record(z.string().min(1).max(100), field),
  /** Statuses of a login that worked; a login that sets no cookie has failed all the same. */
  success: z.array(z.int().min(200).max(399)).min(1).max(10).default([200, 201, 204, 302, 303]),
  /** Statuses with which the system says that the session has ended. */
  ended: z.array(z.int().min(300).max(499)).min(1).max(10).default([401]),
  /** Seconds after which the session is renewed though its cookies last longer. */
  lifetime: z.int().min(30).max(2_592_000).default(1_800),
});

export type SessionSpec = z.output<typeof sessionSchema>;
