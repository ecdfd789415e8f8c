/** Many orders at once, by a sender that sends again with the same webhook-id whatever got no answer. */
import { OarsApiError } from "@oars/sdk";
import type { Order, Shop } from "./orders.ts";

export interface FloodOptions {
  readonly orders: readonly Order[];
  /** Orders on their way at the same time. */
  readonly senders: number;
  /** Called once, when this many have been answered; its end is when it makes sense to send again. */
  readonly interruptAfter: number;
  readonly interrupt: () => Promise<void>;
  readonly onAnswer: (answered: number) => void;
}

export interface Delivered {
  readonly order: Order;
  readonly runId: string;
  /** Times it was sent. */
  readonly sent: number;
  /** Its first sending began before the interruption. */
  readonly early: boolean;
  /** The server had kept an earlier sending of it. */
  readonly duplicate: boolean;
}

const mostSendings = 5;

/** Answers when the server has answered every order. Throws when it refuses one, or stays silent. */
export async function flood(shop: Shop, options: FloodOptions): Promise<Delivered[]> {
  const waiting = [...options.orders];
  const delivered: Delivered[] = [];
  let interruption: Promise<void> | undefined;

  const deliver = async (order: Order): Promise<void> => {
    const early = interruption === undefined;
    for (let sent = 1; ; sent++) {
      try {
        const { runId, duplicate } = await shop.send(order.xml, order.webhookId);
        delivered.push({ order, runId, sent, early, duplicate });
        options.onAnswer(delivered.length);
        if (delivered.length === options.interruptAfter) interruption = options.interrupt();
        return;
      } catch (error) {
        if (error instanceof OarsApiError || interruption === undefined || sent === mostSendings) throw error;
        await interruption;
      }
    }
  };
  const sender = async (): Promise<void> => {
    for (let order = waiting.shift(); order !== undefined; order = waiting.shift()) await deliver(order);
  };
  await Promise.all(Array.from({ length: options.senders }, sender));
  await interruption;
  return delivered;
}
