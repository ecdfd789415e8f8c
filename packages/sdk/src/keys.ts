import type {
  RevokeKeyRequest,
  RotatedKey,
  RotateKeyRequest,
  SigningKeyList,
  TrustKey,
} from "@oars/contract";
import { path } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createKeys = (transport: Transport) => ({
  /** The tenant's signing keys, with how each one ends. */
  list: (options?: CallOptions): Promise<SigningKeyList> =>
    transport.json({ method: "GET", path: "/v1/keys", options }),
  /** Lets a new key sign; the old one may until the overlap is over. */
  rotate: (request: RotateKeyRequest, options?: CallOptions): Promise<RotatedKey> =>
    transport.json({ method: "POST", path: "/v1/keys/rotate", body: request, options }),
  /** Ends a key at once, because somebody else may have it. */
  revoke: (keyId: string, request: RevokeKeyRequest, options?: CallOptions): Promise<TrustKey> =>
    transport.json({ method: "POST", path: path`/v1/keys/${keyId}/revoke`, body: request, options }),
});
