export { type Clock, systemClock } from "./clock.ts";
export { canonicalJson, digestOf, type Json, sha256 } from "./digest.ts";
export {
  type ErrorCode,
  type ErrorParams,
  type ErrorSpec,
  errorCatalogue,
  type FieldProblem,
  isOarsError,
  OarsError,
} from "./errors.ts";
export { type Fault, type FaultPoint, faultPoints } from "./faults.ts";
export { dayBefore, formatId, type IdKind, idAt, idPrefixes, isUuid, newId, parseId } from "./ids.ts";
