import { z } from "zod";
import { runId } from "./id.ts";

/** The webhook was kept before this answer left. `duplicate`: its webhook-id had come before. */
export const webhookAccepted = z.object({ runId, duplicate: z.boolean() }).meta({ id: "WebhookAccepted" });

export const webhook = z
  .object({ slug: z.string(), flow: z.string(), version: z.string(), auth: z.string() })
  .meta({ id: "Webhook" });

export type WebhookAccepted = z.infer<typeof webhookAccepted>;
export type Webhook = z.infer<typeof webhook>;
