/** The shop: fulfilment documents, posted as signed webhooks (Standard Webhooks, HMAC-SHA256). */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type ApiErrorInit, OarsApiError, signWebhook, type WebhookAccepted } from "@oars/sdk";

const example = new URL("../", import.meta.url);

/** A file of the example. */
export const readExample = (name: string): Promise<string> => readFile(new URL(name, example), "utf8");

export interface Order {
  readonly documentId: string;
  readonly orderId: string;
  readonly xml: string;
  /** The same for every time that the order is sent: how the receiver knows that it is the same one. */
  readonly webhookId: string;
}

/** As many small orders as wanted, each with its own ids and quantities, all below the approval limit. */
export function variantsOf(small: string, count: number): Order[] {
  return Array.from({ length: count }, (_, i) => {
    const documentId = `IFD-2026-${String(100_001 + i)}`;
    const orderId = `SO-${String(90_001 + i)}`;
    const xml = small
      .replace("IFD-2026-000417", documentId)
      .replace("SO-88120", orderId)
      .replace("<Quantity>9</Quantity>", `<Quantity>${1 + (i % 40)}</Quantity>`);
    return { documentId, orderId, xml, webhookId: newWebhookId() };
  });
}

export const newWebhookId = (): string => `msg_${randomUUID()}`;

export interface Shop {
  /** Throws OarsApiError when the server refuses it, and fetch's own error when no answer came. */
  send(xml: string, webhookId?: string): Promise<WebhookAccepted>;
}

const answerWithinMs = 20_000;

export function openShop(url: string, secret: string): Shop {
  return {
    send: async (xml, webhookId = newWebhookId()) => {
      const timestamp = Math.floor(Date.now() / 1000);
      const response = await fetch(`${url}/api/webhook/orders`, {
        method: "POST",
        body: xml,
        headers: {
          "content-type": "application/xml",
          "webhook-id": webhookId,
          "webhook-timestamp": String(timestamp),
          "webhook-signature": await signWebhook(secret, webhookId, timestamp, xml),
        },
        signal: AbortSignal.timeout(answerWithinMs),
      });
      const answer = await response.json();
      if (!response.ok) throw new OarsApiError(answer as ApiErrorInit); // a problem document
      return answer as WebhookAccepted; // by the contract of the route
    },
  };
}
