/** What is asked of everyone who answers webhooks. */
export type WebhookCalls = {
  /** The URL where it listens. */
  open(databaseUrl: string | null): Promise<string>;
  /** CPU time of its process so far, in microseconds. */
  cpu(): Promise<number>;
  /** How many of the answered orders it has kept; null for one that keeps nothing. */
  kept(): Promise<number | null>;
};
