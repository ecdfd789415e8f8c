/**
 * The error catalogue: every code that leaves the server, its HTTP status and what a caller may do.
 * `retry`: `never` repeat it unchanged, `safe` to repeat at once, `after` the Retry-After delay.
 * Messages name what to change; `{param}` is filled from the error's params.
 */
export interface ErrorSpec {
  readonly status: number;
  readonly retry: "never" | "safe" | "after";
  readonly message: string;
}

const spec = (status: number, retry: ErrorSpec["retry"], message: string): ErrorSpec => ({
  status,
  retry,
  message,
});

export const errorCatalogue = {
  REQUEST_INVALID: spec(400, "never", "The request does not fit its schema; see `errors`."),
  REQUEST_MALFORMED: spec(400, "never", "The request body cannot be read: {reason}."),
  REQUEST_TOO_LARGE: spec(413, "never", "The body is larger than {limit} bytes."),
  REQUEST_MEDIA_TYPE: spec(415, "never", "Content type {type} is not accepted here; send {accepted}."),
  REQUEST_METHOD: spec(405, "never", "{path} takes {allowed}, not {method}."),
  REQUEST_HEADERS_TOO_LARGE: spec(
    431,
    "never",
    "The request's headers are too large; send fewer or shorter ones.",
  ),
  REQUEST_TIMEOUT: spec(408, "safe", "The request did not arrive in time; send it again."),
  REQUEST_RATE_LIMITED: spec(429, "after", "Too many requests; wait {seconds} s."),
  ROUTE_NOT_FOUND: spec(404, "never", "There is no {method} {path}; see /openapi.json for what there is."),
  CURSOR_INVALID: spec(400, "never", "The cursor is not one that this list returned; start without it."),
  SERVER_STOPPING: spec(503, "safe", "The server is about to stop; send it again."),
  SERVER_BUSY: spec(503, "after", "The server has too much to do; wait {seconds} s."),
  SERVER_ADDRESS_TAKEN: spec(
    500,
    "never",
    "{host}:{port} is in use by another program; stop it or choose another OARS_PORT.",
  ),
  SERVER_FAILED: spec(500, "safe", "The server failed; name incident {incident} when you report it."),

  IDEMPOTENCY_CONFLICT: spec(
    409,
    "never",
    "This Idempotency-Key was used with another request; use a new key.",
  ),
  IDEMPOTENCY_IN_PROGRESS: spec(
    409,
    "after",
    "A request with this Idempotency-Key is still running; wait {seconds} s.",
  ),
  IDEMPOTENCY_ANSWER_LOST: spec(
    409,
    "never",
    "The request with this Idempotency-Key took effect, but its answer is lost; read what it changed, and use a new key for anything else.",
  ),
  PRECONDITION_FAILED: spec(
    412,
    "never",
    "The resource changed; read it again and send its new ETag in If-Match.",
  ),

  AUTH_REQUIRED: spec(401, "never", "Send an API key or token as `Authorization: Bearer …`."),
  AUTH_KEY_INVALID: spec(401, "never", "The API key is not known, is revoked or has expired."),
  AUTH_TOKEN_INVALID: spec(401, "never", "The token was not issued for this server or is damaged."),
  AUTH_TOKEN_EXPIRED: spec(401, "never", "The token has expired; get a new one."),
  AUTH_FORBIDDEN: spec(
    403,
    "never",
    "This needs the permission `{permission}`, which your roles do not hold.",
  ),
  AUTH_TENANT_FORBIDDEN: spec(403, "never", "You are not a member of the tenant that X-Tenant-ID names."),

  TENANT_NOT_FOUND: spec(404, "never", "There is no such tenant."),
  PRINCIPAL_NOT_FOUND: spec(404, "never", "There is no such principal."),
  PRINCIPAL_NAME_TAKEN: spec(409, "never", "A principal named {name} exists; choose another name."),
  PRINCIPAL_DISABLED: spec(403, "never", "The principal {name} is disabled; an administrator can enable it."),
  ROLE_UNKNOWN: spec(422, "never", "There is no role {role}; choose one of {roles}."),
  API_KEY_NOT_FOUND: spec(404, "never", "There is no such API key."),

  SECRET_NOT_FOUND: spec(
    404,
    "never",
    "There is no secret named {name}; store it with PUT /v1/secrets/{name}.",
  ),
  SECRET_ERASED: spec(410, "never", "These data of a person were erased."),
  SECRET_UNREADABLE: spec(500, "never", "Secret {name} cannot be decrypted with the configured key."),
  KMS_UNAVAILABLE: spec(503, "after", "The key service cannot be used: {reason}; wait {seconds} s."),
  VAULT_KEY_INVALID: spec(500, "never", "The vault key must be 32 bytes in base64 or hex."),

  EVENT_NOT_FOUND: spec(404, "never", "There is no such security event."),

  TARGET_NOT_FOUND: spec(404, "never", "There is no delivery target {name}."),
  TARGET_INVALID: spec(422, "never", "The delivery target is not valid; see `errors`."),
  TARGET_OF_ENVIRONMENT: spec(
    409,
    "never",
    "The delivery target {name} is the environment's; change it there, or choose another name.",
  ),
  ALERT_NOT_FOUND: spec(404, "never", "There is no such alert."),
  ALERT_STATE: spec(409, "never", "The alert is {state} already."),
  ALERT_CHANNEL_UNKNOWN: spec(422, "never", "There is no channel {channel}; choose from {channels}."),
  ALERT_RULE_NOT_FOUND: spec(404, "never", "There is no alert rule {name}."),
  DEAD_LETTER_NOT_FOUND: spec(404, "never", "There is no such dead letter."),
  DEAD_LETTER_CLOSED: spec(409, "never", "The dead letter is {state} already."),

  NET_ADDRESS_FORBIDDEN: spec(422, "never", "{host} resolves to an address that is not allowed: {address}."),
  NET_EGRESS_FORBIDDEN: spec(
    422,
    "never",
    "{host} port {port} is not among the hosts that this tenant may reach.",
  ),
  NET_URL_INVALID: spec(422, "never", "{url} cannot be called: {reason}."),
  NET_METHOD_INVALID: spec(422, "never", "{method} is not a method that can be sent; use one of {methods}."),
  NET_HEADER_INVALID: spec(422, "never", "Header {name} cannot be sent: {reason}."),
  NET_REDIRECT_REFUSED: spec(502, "never", "{host} answered with a redirect that is not followed: {reason}."),
  NET_RESPONSE_TOO_LARGE: spec(502, "never", "The answer is larger than {limit} bytes."),
  NET_TIMEOUT: spec(504, "safe", "{host} gave no complete answer within {ms} ms."),
  NET_ABORTED: spec(503, "safe", "The request to {host} was cancelled before its answer was complete."),
  NET_UNREACHABLE: spec(502, "safe", "{host} cannot be reached: {reason}."),
  NET_RESET: spec(502, "safe", "{host} closed the connection before its answer was complete."),
  NET_RESPONSE_INVALID: spec(502, "safe", "The answer of {host} is not valid HTTP."),

  CONNECTION_NOT_FOUND: spec(404, "never", "There is no connection named {name}."),
  CONNECTION_INVALID: spec(422, "never", "The connection is not valid; see `errors`."),
  CONNECTION_IN_USE: spec(
    409,
    "never",
    "Connection {name} is used by {flows}; publish versions without it first, or delete it with `force`.",
  ),
  CONNECTION_AUTH_FAILED: spec(422, "never", "The connection cannot be authorized: {reason}."),
  CONNECTION_AUTH_UNAVAILABLE: spec(
    503,
    "after",
    "The connection cannot be authorized now: {reason}; wait {seconds} s.",
  ),
  CONNECTION_AUTHORIZATION_NEEDED: spec(
    409,
    "never",
    "A person must authorize connection {name}: POST /v1/connections/{name}/authorize.",
  ),
  CONNECTION_AUTHORIZATION_INVALID: spec(
    422,
    "never",
    "The authorization cannot be completed: {reason}. Begin again.",
  ),
  CONNECTION_CIRCUIT_OPEN: spec(
    503,
    "after",
    "Connection {name} failed too often and is left alone; wait {seconds} s.",
  ),
  TOOL_NOT_FOUND: spec(404, "never", "There is no tool named {name}; list the tools to see their names."),
  TOOL_UNREVIEWED: spec(409, "never", "{tool} changed and nobody has reviewed it; review the tool first."),
  TOOL_NOT_ALLOWED: spec(403, "never", "{tool} is not among the tools that this tenant may use."),
  CONNECTOR_UNKNOWN: spec(422, "never", "There is no connector {connector}; choose one of {connectors}."),

  POLICY_NOT_FOUND: spec(404, "never", "There is no such policy bundle."),
  POLICY_INVALID: spec(422, "never", "The policy bundle is not valid; see `errors`."),
  POLICY_CASES_FAILED: spec(422, "never", "The bundle's golden cases do not hold; see `errors`."),
  POLICY_ALREADY_PUBLISHED: spec(409, "never", "This policy bundle is the published one already."),
  POLICY_NEVER_PUBLISHED: spec(409, "never", "There is no bundle to go back to: it was never in force."),
  POLICY_NONE_IN_FORCE: spec(409, "never", "No policy bundle is in force; name one, or publish one."),
  POLICY_REPLAY_REQUIRED: spec(
    409,
    "never",
    "Replay this bundle first: POST /v1/policies/{id}/replays, and publish it once that has completed.",
  ),
  POLICY_REPLAY_NOT_FOUND: spec(404, "never", "There is no such replay."),
  POLICY_REPLAYS_OPEN: spec(409, "safe", "Five replays are under way; wait for one to end."),
  POLICY_TEMPLATE_NOT_FOUND: spec(404, "never", "The bundle in force has no template {name}."),
  POLICY_GRANT_NOT_FOUND: spec(404, "never", "There is no such grant."),
  POLICY_GRANT_INVALID: spec(422, "never", "The grant is not valid; see `errors`."),

  ACTION_NOT_FOUND: spec(404, "never", "There is no such action."),
  ACTION_NOT_EXPLAINED: spec(
    409,
    "never",
    "Nothing was kept of this action's decision that could be explained; name a policy bundle, or propose it again.",
  ),
  ACTION_INVALID: spec(422, "never", "The action is not valid; see `errors`."),
  ACTION_STATE: spec(409, "never", "The action is {state}; this needs it to be {needed}."),
  ACTION_REQUESTER: spec(
    403,
    "never",
    "Whose action it is cannot release or reject it; another person must.",
  ),

  APPROVAL_NOT_FOUND: spec(404, "never", "There is no such approval."),
  APPROVAL_CLOSED: spec(409, "never", "The approval is {state} already."),
  APPROVAL_REQUESTER: spec(403, "never", "Who requested the action cannot approve it; another person must."),
  APPROVAL_ROLE: spec(403, "never", "This approval needs the role {role}."),
  APPROVAL_VOTED: spec(409, "never", "You have voted on this approval already."),
  APPROVAL_PERSON: spec(403, "never", "Only people can do this; an agent or a service cannot."),
  APPROVAL_IDENTITY: spec(403, "never", "You vote as yourself; leave approverId out, or send your own."),
  APPROVAL_CHANGES: spec(
    422,
    "never",
    "An approval is for exactly the action that was shown; reject it and have the changed action proposed.",
  ),
  APPROVAL_BREAK_GLASS: spec(403, "never", "The policy that holds this action forbids breaking the glass."),
  APPROVAL_REVIEW: spec(409, "never", "There is nothing to review: {reason}."),
  APPROVAL_REVIEWER: spec(
    403,
    "never",
    "Who broke the glass or asked for it cannot review it; another person must.",
  ),
  APPROVAL_LINK_NOT_FOUND: spec(
    404,
    "never",
    "This link is damaged or has expired; open the approval itself.",
  ),
  DELEGATION_NOT_FOUND: spec(404, "never", "There is no such delegation."),
  DELEGATION_INVALID: spec(422, "never", "The right to vote cannot be lent like this: {reason}."),
  WORKFLOW_NOT_FOUND: spec(404, "never", "There is no approval workflow {name}."),
  WORKFLOW_INVALID: spec(422, "never", "The approval workflow is not valid; see `errors`."),
  WORKFLOW_IN_USE: spec(409, "never", "{name} is the default workflow; choose another default first."),

  STEP_UP_REQUIRED: spec(
    403,
    "never",
    "Confirm with {factor}: send stepUpCode, or the assertion of a challenge; enrol a factor first if you have none.",
  ),
  STEP_UP_WRONG: spec(403, "never", "The confirmation is not right, or was used already.{more}"),
  STEP_UP_LOCKED: spec(429, "after", "Too many wrong confirmations; wait {seconds} s."),
  FACTOR_NOT_FOUND: spec(404, "never", "There is no such factor."),
  FACTOR_NONE: spec(409, "never", "You have no factor for this; enrol one."),
  FACTOR_STATE: spec(409, "never", "The enrolment is {state} already; begin a new one."),
  FACTOR_LIMIT: spec(409, "never", "You have {limit} factors already; revoke one first."),
  FACTOR_OWN_RESET: spec(403, "never", "Another administrator must reset your factors."),

  FLOW_NOT_FOUND: spec(404, "never", "There is no such flow or version."),
  FLOW_INVALID: spec(422, "never", "The flow is not valid; see `errors`."),
  FLOW_VERSION_TAKEN: spec(
    409,
    "never",
    "{flow} {version} is published with other content; raise the version.",
  ),
  FLOW_TOO_LARGE: spec(413, "never", "The definition is larger than {limit} bytes."),

  RUN_NOT_FOUND: spec(404, "never", "There is no such run."),
  RUN_PARAMS_INVALID: spec(422, "never", "The parameters do not fit the flow; see `errors`."),
  RUN_FAILED: spec(
    422,
    "never",
    "The run failed with {reason}; repeating the request gives the same answer.",
  ),
  RUN_ABORTED: spec(409, "never", "The run was ended before it had an output: {reason}."),
  RUN_ENDED: spec(409, "never", "The run is {state} already."),
  RUN_CONCURRENCY_REJECTED: spec(
    409,
    "never",
    "The flow {flow} starts no further run under this key: {by} has it. Start again once that has ended.",
  ),
  RUN_KEY_INVALID: spec(
    422,
    "never",
    "The concurrency key of the flow {flow} cannot be made of these parameters.",
  ),
  RUN_STATE_CONFLICT: spec(409, "never", "The run is {state}; to {command} it must be {needed}."),
  RUN_HAS_PARENT: spec(
    409,
    "never",
    "The run was a step of {parent}, which knows of its failure: retry that step there.",
  ),
  STEP_NOT_FOUND: spec(404, "never", "The run's flow has no step {step}."),
  STEP_STATE_CONFLICT: spec(409, "never", "Step {step} is {state}; to {command} it must be {needed}."),
  STEP_NOT_SKIPPABLE: spec(
    409,
    "never",
    "Step {step} cannot be skipped: its flow does not say `skippable: true`.",
  ),
  STEP_IN_USE: spec(
    409,
    "never",
    "Step {dependent} has begun with what step {step} gave; rerun from {step} instead.",
  ),
  STEP_ACTION_OPEN: spec(
    409,
    "never",
    "The action {action} of step {step} is {state}: wait for its end, or resolve it, first.",
  ),

  GATE_NOT_FOUND: spec(404, "never", "There is no such gate."),
  GATE_CLOSED: spec(409, "never", "The gate is {state} already{decision}."),
  GATE_ROLE: spec(403, "never", "This gate needs the role {role}."),
  GATE_REQUESTER: spec(403, "never", "Who started the run cannot answer this gate; another person must."),
  GATE_OPTION: spec(422, "never", "This gate offers {options}, not {decision}."),

  SIGNAL_UNKNOWN: spec(422, "never", "No step of {flow} {version} waits for a signal {name}{known}."),
  SIGNAL_INVALID: spec(422, "never", "The payload does not fit what {name} waits for; see `errors`."),
  SIGNAL_BACKLOG: spec(
    409,
    "after",
    "{limit} signals {name} wait for the run to take them; wait {seconds} s.",
  ),

  WEBHOOK_NOT_FOUND: spec(404, "never", "There is no webhook {slug}."),
  WEBHOOK_GONE: spec(410, "never", "Webhook {slug} was given up by its flow; stop sending to it."),
  WEBHOOK_SIGNATURE_MISSING: spec(
    401,
    "never",
    "Sign the request: headers webhook-id, webhook-timestamp, webhook-signature.",
  ),
  WEBHOOK_SIGNATURE_INVALID: spec(
    401,
    "never",
    "The signature does not match the body and the shared secret.",
  ),
  WEBHOOK_TIMESTAMP: spec(401, "never", "webhook-timestamp is more than {seconds} s away from now."),
  WEBHOOK_SLUG_TAKEN: spec(409, "never", "Webhook {slug} belongs to flow {flow}; choose another slug."),

  RECEIPT_NOT_FOUND: spec(404, "never", "There is no such receipt."),
  RECEIPT_NOT_REPLAYABLE: spec(409, "never", "This receipt cannot be replayed: {reason}."),
  RECEIPT_ERASED: spec(410, "never", "What this receipt's decision was made of was erased with a person."),
  RECEIPT_NOT_LOGGED: spec(409, "after", "The receipt is not in the log yet; wait {seconds} s."),

  PRIVACY_HELD: spec(409, "never", "A legal hold keeps these data; they can be erased once it is released."),
  PRIVACY_SUBJECT_BUSY: spec(
    409,
    "never",
    "{count} actions or runs of this person are under way; end them first.",
  ),
  PRIVACY_HOLD_NOT_FOUND: spec(404, "never", "There is no such hold."),
  PRIVACY_HOLD_RELEASED: spec(409, "never", "The hold was released already."),
  PRIVACY_ERASURE_NOT_FOUND: spec(404, "never", "There is no such erasure."),

  SIGNER_UNAVAILABLE: spec(
    503,
    "safe",
    "The service that holds the signing keys did not sign; nothing was changed.",
  ),
  SIGNING_KEY_NOT_FOUND: spec(404, "never", "The tenant has no signing key {kid}."),
  SIGNING_KEY_REVOKED: spec(409, "never", "The signing key {kid} is revoked already."),
  LOG_FILE_NOT_FOUND: spec(404, "never", "The log has no such file."),
  LOG_ENTRIES_RETIRED: spec(
    410,
    "never",
    "Receipts of this bundle are past their retention; their hashes are in tile/0 and stay.",
  ),
  LOG_SIZE_UNKNOWN: spec(
    422,
    "never",
    "The log has {size} leaves; ask for sizes up to that, the smaller one first.",
  ),

  EVIDENCE_FRAMEWORK_UNKNOWN: spec(
    422,
    "never",
    "There is no framework {framework} and no mapping of one; choose one of {known}, or map a control of it.",
  ),
  EVIDENCE_CONTROL_NOT_FOUND: spec(404, "never", "There is no mapping of control {control} of {framework}."),
  EVIDENCE_TAGS_BEHIND: spec(
    409,
    "after",
    "Receipts are compared with the mappings, up to {at} of {size}; wait {seconds} s.",
  ),
  EVIDENCE_NOT_FOUND: spec(404, "never", "There is no such evidence pack."),
  EVIDENCE_NOT_READY: spec(409, "after", "The evidence pack is {state}; wait {seconds} s."),
  EVIDENCE_FAILED: spec(409, "never", "The evidence pack could not be made: {reason} Ask for it again."),
  EVIDENCE_SUBJECT_EMPTY: spec(422, "never", "There are no receipts of this run or action."),
  EVIDENCE_SCHEDULE_NOT_FOUND: spec(404, "never", "No pack of {framework} is made each month."),
  EVIDENCE_PACK_TOO_LARGE: spec(
    422,
    "never",
    "The pack would be larger than an archive can be; ask for a shorter window or for a sample.",
  ),
  EVIDENCE_UNREADABLE: spec(422, "never", "The archive cannot be read: {reason}."),

  BLOB_NOT_FOUND: spec(404, "never", "The run has no payload {digest}."),

  JOB_NOT_FOUND: spec(404, "never", "There is no job {job}; list the jobs to see their names."),
  JOB_RUNNING: spec(409, "after", "The job {job} is running; wait {seconds} s."),

  STORE_NEWER: spec(
    500,
    "never",
    "The database is at migration {found}, newer than this program's {known}; upgrade the program.",
  ),
  STORE_LOCKED: spec(
    500,
    "never",
    "{dir} is open in process {pid}; stop it first or choose another OARS_DATA_DIR.",
  ),
  STORE_UNAVAILABLE: spec(503, "after", "The database does not answer; wait {seconds} s."),
  CONFIG_INVALID: spec(500, "never", "The configuration is not valid:\n{problems}"),
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof errorCatalogue;
export type ErrorParams = Record<string, string | number>;

/** One problem with one place of an input: `path` in JSON-pointer or dotted form, `code` stable. */
export interface FieldProblem {
  readonly path: string;
  readonly code: string;
  readonly message: string;
  /** Line and column (from 1) in the source text, when there is one. */
  readonly line?: number;
  readonly column?: number;
}

const brand = Symbol.for("oars.error");

/** A caller's mistake or a known condition. Bugs are plain errors and answer 500 with an incident id. */
export class OarsError extends Error {
  readonly [brand] = true;
  readonly code: ErrorCode;
  readonly params: ErrorParams;
  readonly errors: readonly FieldProblem[];
  /** How the thing stands that the request was about, as the API shows it. */
  readonly current: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: ErrorCode,
    params: ErrorParams = {},
    more: {
      errors?: readonly FieldProblem[];
      current?: Readonly<Record<string, unknown>>;
      cause?: unknown;
    } = {},
  ) {
    super(
      fill(errorCatalogue[code].message, params),
      more.cause === undefined ? undefined : { cause: more.cause },
    );
    this.name = "OarsError";
    this.code = code;
    this.params = params;
    this.errors = more.errors ?? [];
    this.current = more.current;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }

  get retry(): ErrorSpec["retry"] {
    return errorCatalogue[this.code].retry;
  }
}

export const isOarsError = (value: unknown): value is OarsError =>
  typeof value === "object" && value !== null && brand in value;

const fill = (message: string, params: ErrorParams): string =>
  message.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole));
