/**
 * The outside world: a warehouse system over HTTP, as a good peer would be. It makes one shipment per
 * Idempotency-Key: the same request again gets the same answer, the same key with another body is refused.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export interface Shipment {
  readonly shipmentId: string;
  readonly key: string;
  readonly orderId: string;
  readonly warehouseId: string;
}

/** Everything that came under one Idempotency-Key. */
export interface Seen {
  requests: number;
  readonly bodies: Set<string>;
}

export interface Warehouse {
  readonly url: string;
  readonly seen: ReadonlyMap<string, Seen>;
  readonly shipments: readonly Shipment[];
  /** How long it takes to answer, in milliseconds. */
  answerAfter(ms: number): void;
  close(): Promise<void>;
}

export async function openWarehouse(): Promise<Warehouse> {
  const seen = new Map<string, Seen>();
  const shipments = new Map<string, Shipment>();
  let delayMs = 0;

  const ship = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const key = request.headers["idempotency-key"];
    const body = await buffer(request);
    if (request.method !== "POST" || request.url !== "/shipments" || typeof key !== "string") {
      return answer(response, 400, { error: "POST /shipments with an Idempotency-Key" });
    }
    const record = seen.get(key) ?? { requests: 0, bodies: new Set<string>() };
    seen.set(key, record);
    record.requests += 1;
    record.bodies.add(createHash("sha256").update(body).digest("hex"));
    if (record.bodies.size > 1) return answer(response, 422, { error: "this key came with another body" });
    const order = JSON.parse(body.toString("utf8")) as Record<string, unknown>; // what flow.yaml sends
    const shipment = shipments.get(key) ?? {
      shipmentId: `SHP-${String(shipments.size + 1).padStart(6, "0")}`,
      key,
      orderId: String(order.orderId),
      warehouseId: String(order.warehouseId),
    };
    shipments.set(key, shipment);
    if (delayMs > 0) await new Promise((done) => setTimeout(done, delayMs));
    answer(response, 201, { shipmentId: shipment.shipmentId });
  };

  const server = createServer((request, response) => {
    ship(request, response).catch(() => response.destroy()); // the caller went away in the middle
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo; // it listens on a TCP port
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    get shipments() {
      return [...shipments.values()];
    },
    answerAfter: (ms) => {
      delayMs = ms;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
