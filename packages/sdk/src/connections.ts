import type { Connection, ConnectionTest, ConnectorInfo, PutConnectionRequest, Secret } from "@oars/contract";
import { type Listing, wholeListing } from "./listing.ts";
import { path } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createSecrets = (transport: Transport) => ({
  /** Stores or replaces a value. No call ever returns it. */
  put: (name: string, value: string, options?: CallOptions): Promise<Secret> =>
    transport.json({ method: "PUT", path: path`/v1/secrets/${name}`, body: { value }, options }),
  list: (options?: CallOptions): Listing<Secret> =>
    wholeListing(() => transport.json({ method: "GET", path: "/v1/secrets", options })),
  delete: (name: string, options?: CallOptions): Promise<void> =>
    transport.json({ method: "DELETE", path: path`/v1/secrets/${name}`, options }),
});

export const createConnections = (transport: Transport) => ({
  /** Creates or replaces. Errors: CONNECTION_INVALID with every problem, CONNECTOR_UNKNOWN. */
  put: (name: string, request: PutConnectionRequest, options?: CallOptions): Promise<Connection> =>
    transport.json({ method: "PUT", path: path`/v1/connections/${name}`, body: request, options }),
  list: (options?: CallOptions): Listing<Connection> =>
    wholeListing(() => transport.json({ method: "GET", path: "/v1/connections", options })),
  get: (name: string, options?: CallOptions): Promise<Connection> =>
    transport.json({ method: "GET", path: path`/v1/connections/${name}`, options }),
  /** Reaches the system behind it and changes nothing there. That the system refuses is `ok: false`. */
  test: (name: string, options?: CallOptions): Promise<ConnectionTest> =>
    transport.json({ method: "POST", path: path`/v1/connections/${name}/test`, options }),
  /** The connectors that a connection can be of, with their schemas. */
  connectors: (options?: CallOptions): Listing<ConnectorInfo> =>
    wholeListing(() => transport.json({ method: "GET", path: "/v1/connectors", options })),
});
