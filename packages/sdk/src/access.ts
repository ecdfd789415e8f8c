import type {
  ApiKey,
  CreateApiKeyRequest,
  CreatePrincipalRequest,
  IssuedApiKey,
  Me,
  Page,
  Principal,
  SessionToken,
} from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createMe = (transport: Transport) => ({
  /** Who the credential is, and what it may do. */
  get: (options?: CallOptions): Promise<Me> => transport.json({ method: "GET", path: "/v1/me", options }),
  /** A session token for the API key of this client; it ends with the key. */
  issueToken: (options?: CallOptions): Promise<SessionToken> =>
    transport.json({ method: "POST", path: "/v1/auth/token", options }),
});

export const createPrincipals = (transport: Transport) => ({
  /** Errors: PRINCIPAL_NAME_TAKEN, ROLE_UNKNOWN, PRINCIPAL_NOT_FOUND for the owner. */
  create: (request: CreatePrincipalRequest, options?: CallOptions): Promise<Principal> =>
    transport.json({ method: "POST", path: "/v1/principals", body: request, options }),
  list: (query: ListQuery = {}, options?: CallOptions): Listing<Principal> =>
    toListing(
      (cursor): Promise<Page<Principal>> =>
        transport.json({ method: "GET", path: withQuery("/v1/principals", { ...query, cursor }), options }),
      query.cursor,
    ),
  get: (id: string, options?: CallOptions): Promise<Principal> =>
    transport.json({ method: "GET", path: path`/v1/principals/${id}`, options }),
  /**
   * A new API key; `key` is shown in this answer alone. It is null when the first answer was lost on its
   * way and the call was repeated: then revoke the key and issue another.
   */
  issueKey: (id: string, request: CreateApiKeyRequest = {}, options?: CallOptions): Promise<IssuedApiKey> =>
    transport.json({ method: "POST", path: path`/v1/principals/${id}/keys`, body: request, options }),
  listKeys: (id: string, query: ListQuery = {}, options?: CallOptions): Listing<ApiKey> =>
    toListing((cursor): Promise<Page<ApiKey>> => {
      const target = withQuery(path`/v1/principals/${id}/keys`, { ...query, cursor });
      return transport.json({ method: "GET", path: target, options });
    }, query.cursor),
  revokeKey: (keyId: string, options?: CallOptions): Promise<ApiKey> =>
    transport.json({ method: "DELETE", path: path`/v1/api-keys/${keyId}`, options }),
});
