import { z } from "zod";
import { runId } from "./id.ts";
import { digest } from "./scalar.ts";

/** The webhook was kept before this answer left. `duplicate`: its webhook-id had come before. */
export const webhookAccepted = z.object({ runId, duplicate: z.boolean() }).meta({ id: "WebhookAccepted" });

export const webhook = z
  .object({
    slug: z.string(),
    path: z.string().meta({ examples: ["/api/webhook/orders"] }),
    flow: z.string(),
    version: z.string(),
    flowHash: digest,
  })
  .meta({ id: "Webhook" });

export const webhookList = z.object({ items: z.array(webhook) });

export type WebhookAccepted = z.infer<typeof webhookAccepted>;
export type Webhook = z.infer<typeof webhook>;
