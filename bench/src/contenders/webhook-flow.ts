/** What is asked over HTTP: an order in, three JSONata steps, a summary out. The same expressions for everyone. */

/** Each reads `payload`, which the one before has given; the first one reads the order. */
export const expressions = [
  `{
    "id": payload.orderId,
    "lines": payload.lines.{ "sku": $uppercase(sku), "quantity": quantity, "cents": quantity * priceMinor }
  }`,
  `$merge([payload, { "total": $sum(payload.lines.cents), "items": $sum(payload.lines.quantity) }])`,
  `{
    "order": payload.id,
    "items": payload.items,
    "total": payload.total / 100,
    "size": payload.total > 100000 ? "large" : "small",
    "skus": $join(payload.lines.sku, ",")
  }`,
] as const;

const order = (n: number) => ({
  orderId: `SO-2026-${n}`,
  currency: "EUR",
  customer: { name: "Ana Novak", city: "Ljubljana", country: "SI" },
  lines: [
    { sku: "a-1001", quantity: 3, priceMinor: 41_500 },
    { sku: "b-2002", quantity: 1, priceMinor: 60_000 + (n % 100) },
  ],
});

export const orderText = (n: number): string => JSON.stringify(order(n));

/** The answer that the order of this number must have. */
export function answerOf(n: number): string {
  const total = 3 * 41_500 + 60_000 + (n % 100);
  return JSON.stringify({
    order: `SO-2026-${n}`,
    items: 4,
    total: total / 100,
    size: total > 100_000 ? "large" : "small",
    skus: "A-1001,B-2002",
  });
}

export const path = "/api/webhook/orders";
export const secretName = "orders-hmac";
export const secret = "a secret that the sender and the flow share";
