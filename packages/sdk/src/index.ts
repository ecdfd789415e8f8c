/** Typed client of the OARS API. Runs in browsers and in Node; its types are those of @oars/contract. */
export type * from "@oars/contract";
export type { ReceiptReport } from "@oars/receipts";
export type { ActionCommandOptions, ActionFilter, SubmitOptions } from "./actions.ts";
export type { VersionOptions } from "./approval-workflows.ts";
export type { ApprovalFilter } from "./approvals.ts";
export { type ClientOptions, createClient, type OarsClient } from "./client.ts";
export { type ErrorCode, errorCodes } from "./error-codes.ts";
export {
  type ApiErrorCode,
  type ApiErrorInit,
  type ClientErrorCode,
  OarsApiError,
  OarsClientError,
} from "./errors.ts";
export type { FlowText } from "./flows.ts";
export type { Listing, ListQuery } from "./listing.ts";
export { verifyOffline } from "./receipts.ts";
export type { RunCommandOptions } from "./run-commands.ts";
export type { FollowOptions } from "./run-events.ts";
export { hasEnded, type RunStartOptions, type RunWaitOptions } from "./runs.ts";
export type { ToolChangeOptions, ToolFilter } from "./tools.ts";
export type { CallOptions } from "./transport.ts";
export type { WaitOptions } from "./wait.ts";
export { signWebhook } from "./webhook-signature.ts";
