export { type AuthContext, type Authorized, authorize, heard, renew } from "./authorize.ts";
export {
  beginConsent,
  type ConsentAnswer,
  type ConsentBegun,
  type ConsentDeps,
  type ConsentEnd,
  type Consenting,
  endConsent,
  tenantOfState,
} from "./consent.ts";
export { purgeConsents } from "./consent-store.ts";
export { endpointProblem } from "./endpoint.ts";
export { type Grant, type GrantIo, ioOf } from "./grant.ts";
export { dropOtherGrants, dueGrants, type GrantRow } from "./grant-store.ts";
export {
  createGrants,
  digestOfSpec,
  type GrantHolder,
  type Grants,
  type GrantsDeps,
  purposeOfGrant,
} from "./grants.ts";
export {
  authHeaders,
  authSecrets,
  type GrantSpec,
  grantOf,
  headerName,
  type WebAuth,
  webAuth,
} from "./schema.ts";
export { sealedGrants } from "./sealed.ts";
