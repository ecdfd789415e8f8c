export { type AddressRules, addressRules } from "./address.ts";
export type { ConnectRequest } from "./connect.ts";
export {
  createDialer,
  type DialAnswer,
  type Dialer,
  type DialerOptions,
  type DialRequest,
} from "./dialer.ts";
export type { EgressRule, TenantRules } from "./egress.ts";
export { isNetError, type NetError } from "./failure.ts";
export type { ClientIdentity } from "./pools.ts";
export { type Resolve, systemResolve } from "./resolve.ts";
export { parseTarget } from "./target.ts";
