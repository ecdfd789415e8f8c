export { type AddressRules, addressRules } from "./address.ts";
export {
  createDialer,
  type DialAnswer,
  type Dialer,
  type DialerOptions,
  type DialRequest,
} from "./dialer.ts";
export { isNetError, type NetError } from "./failure.ts";
export { type Resolve, systemResolve } from "./resolve.ts";
export { parseTarget } from "./target.ts";
