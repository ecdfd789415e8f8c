import type {
  AuthorizationAnswer,
  Connection,
  ConnectionAuthorization,
  ConnectionAuthorized,
  ConnectionDetail,
  ConnectionTest,
  ConnectionVersion,
  ConnectorInfo,
  Egress,
  ImportedSecrets,
  ImportSecretsRequest,
  Page,
  PutConnectionRequest,
  PutEgressRequest,
  Secret,
  SecretAccess,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing, wholeListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createSecrets = (transport: Transport) => ({
  /** Stores or replaces a value. No call ever returns it. */
  put: (name: string, value: string, options?: CallOptions): Promise<Secret> =>
    transport.json({ method: "PUT", path: path`/v1/secrets/${name}`, body: { value }, options }),
  list: (options?: CallOptions): Listing<Secret> =>
    wholeListing(() => transport.json({ method: "GET", path: "/v1/secrets", options })),
  /** Stores many at once, all or none. */
  import: (request: ImportSecretsRequest, options?: CallOptions): Promise<ImportedSecrets> =>
    transport.json({ method: "POST", path: "/v1/secrets/import", body: request, options }),
  /** Who used it for what, by the hour, newest first. */
  uses: (name: string, query: ListQuery = {}, options?: CallOptions): Listing<SecretAccess> =>
    toListing((cursor): Promise<Page<SecretAccess>> => {
      const target = withQuery(path`/v1/secrets/${name}/access`, { ...query, cursor });
      return transport.json({ method: "GET", path: target, options });
    }, query.cursor),
  delete: (name: string, options?: CallOptions): Promise<void> =>
    transport.json({ method: "DELETE", path: path`/v1/secrets/${name}`, options }),
});

/** The `etag` of what was read: another one is refused with PRECONDITION_FAILED. */
interface Expected {
  readonly ifMatch?: string | undefined;
}

const expecting = (ifMatch: string | undefined) =>
  ifMatch === undefined ? {} : { headers: { "if-match": `"${ifMatch}"` } };

export const createConnections = (transport: Transport) => ({
  /**
   * Creates or replaces; with `ifMatch` only the revision of that `etag`. Errors: CONNECTION_INVALID with every
   * problem, CONNECTOR_UNKNOWN, PRECONDITION_FAILED.
   */
  put: (
    name: string,
    request: PutConnectionRequest,
    { ifMatch, ...options }: CallOptions & Expected = {},
  ): Promise<Connection> =>
    transport.json({
      method: "PUT",
      path: path`/v1/connections/${name}`,
      body: request,
      ...expecting(ifMatch),
      options,
    }),
  list: (options?: CallOptions): Listing<Connection> =>
    wholeListing(() => transport.json({ method: "GET", path: "/v1/connections", options })),
  /** With how its credential and its circuit stand. */
  get: (name: string, options?: CallOptions): Promise<ConnectionDetail> =>
    transport.json({ method: "GET", path: path`/v1/connections/${name}`, options }),
  /** Errors: CONNECTION_IN_USE while a flow's newest version names it, unless `force`. */
  delete: (
    name: string,
    { force, ifMatch }: { readonly force?: boolean | undefined } & Expected = {},
    options?: CallOptions,
  ): Promise<void> =>
    transport.json({
      method: "DELETE",
      path: withQuery(path`/v1/connections/${name}`, { force: force === true ? "true" : undefined }),
      ...expecting(ifMatch),
      options,
    }),
  /** Its revisions, newest first. */
  versions: (name: string, query: ListQuery = {}, options?: CallOptions): Listing<ConnectionVersion> =>
    toListing((cursor): Promise<Page<ConnectionVersion>> => {
      const target = withQuery(path`/v1/connections/${name}/versions`, { ...query, cursor });
      return transport.json({ method: "GET", path: target, options });
    }, query.cursor),
  /** Begins a person's consent: open `url` in a browser, then pass what it comes back with to `finish`. */
  authorize: (name: string, options?: CallOptions): Promise<ConnectionAuthorization> =>
    transport.json({ method: "POST", path: path`/v1/connections/${name}/authorize`, options }),
  /** Ends a consent that the same principal began. Errors: CONNECTION_AUTHORIZATION_INVALID. */
  finish: (answer: AuthorizationAnswer, options?: CallOptions): Promise<ConnectionAuthorized> =>
    transport.json({ method: "POST", path: "/v1/oauth/callback", body: answer, options }),
  /** Reaches the system behind it and changes nothing there. That the system refuses is `ok: false`. */
  test: (name: string, options?: CallOptions): Promise<ConnectionTest> =>
    transport.json({ method: "POST", path: path`/v1/connections/${name}/test`, options }),
  /** Which hosts the tenant's connections may reach. */
  egress: (options?: CallOptions): Promise<Egress> =>
    transport.json({ method: "GET", path: "/v1/egress", options }),
  /** Errors: PRECONDITION_FAILED when `ifMatch` is not its `etag` any more. */
  setEgress: (
    request: PutEgressRequest,
    { ifMatch, ...options }: CallOptions & Expected = {},
  ): Promise<Egress> =>
    transport.json({ method: "PUT", path: "/v1/egress", body: request, ...expecting(ifMatch), options }),
  /** The connectors that a connection can be of, with their schemas. */
  connectors: (options?: CallOptions): Listing<ConnectorInfo> =>
    wholeListing(() => transport.json({ method: "GET", path: "/v1/connectors", options })),
});
