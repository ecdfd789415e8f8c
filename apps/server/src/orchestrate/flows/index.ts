export {
  compileJsonata,
  type JsonataCompiled,
  type JsonataExpression,
  type JsonataProblem,
  type JsonataResult,
  jsonataLimits,
} from "./jsonata.ts";
