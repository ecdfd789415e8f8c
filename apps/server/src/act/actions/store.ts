import { type Db, defineWrite, nothing, type Sql, sql, type Tx } from "#platform/db";
import { dayBefore } from "#platform/kernel";
import type { Declared } from "./declared.ts";
import type { ActionError, ActionState } from "./domain.ts";

export interface ActionRow {
  tenant_id: string;
  id: string;
  state: ActionState;
  connection: string;
  operation: string;
  tool: string;
  verb: string;
  target: string;
  environment: string;
  digest: string;
  facts: string;
  input: Uint8Array;
  principal_id: string;
  run_id: string | null;
  step: string | null;
  reservation: Uint8Array | null;
  effect_key: string;
  idempotent: boolean;
  timeout_ms: number;
  executor: string | null;
  approval_id: string | null;
  decision: string;
  /** What the policy was asked, sealed; null when it was not asked. */
  asked: Uint8Array | null;
  error: string | null;
  user_id: string | null;
  submitter_id: string | null;
  declared: string | null;
  receipt_id: string;
  /** Milliseconds since 1970, by this process's clock, so that the answer needs no look at the row. */
  at: number;
}

/** [X2] Refused when an action with the same reservation key exists: of concurrent duplicates one is inserted. */
export const reserveAction = defineWrite<{
  tenant_id: string;
  reservation: Uint8Array;
  action_id: string;
  fingerprint: Uint8Array | null;
}>({
  name: "actions.reserveAction",
  order: 39,
  guard: true,
  columns: { tenant_id: "uuid", reservation: "bytea", action_id: "uuid", fingerprint: "bytea" },
  text: `/* actions.reserveAction */ insert into action_reservation (tenant_id, reservation, action_id, fingerprint)
    select b.tenant_id, b.reservation, b.action_id, b.fingerprint from batch b on conflict do nothing returning 1`,
});

/** An action with a reservation is inserted together with it: see `reserveAction`. */
export const insertAction = defineWrite<ActionRow>({
  name: "actions.insertAction",
  order: 40,
  columns: {
    tenant_id: "uuid",
    id: "uuid",
    state: "text",
    connection: "text",
    operation: "text",
    tool: "text",
    verb: "text",
    target: "text",
    environment: "text",
    digest: "text",
    facts: "jsonb",
    input: "bytea",
    principal_id: "uuid",
    run_id: "uuid",
    step: "text",
    reservation: "bytea",
    effect_key: "text",
    idempotent: "bool",
    timeout_ms: "int4",
    executor: "uuid",
    approval_id: "uuid",
    decision: "jsonb",
    asked: "bytea",
    error: "jsonb",
    user_id: "uuid",
    submitter_id: "uuid",
    declared: "jsonb",
    receipt_id: "uuid",
    at: "float8",
  },
  text: `/* actions.insertAction */ insert into action (tenant_id, id, state, connection, operation, tool, verb, target, environment, digest,
      facts, input, principal_id, run_id, step, reservation, effect_key, idempotent, timeout_ms, executor, approval_id, decision,
      asked, error, user_id, submitter_id, declared, receipt_id, target_key,
      created_at, started_at, ended_at)
    select b.tenant_id, b.id, b.state, b.connection, b.operation, b.tool, b.verb, b.target, b.environment, b.digest, b.facts, b.input,
      b.principal_id, b.run_id, b.step, b.reservation, b.effect_key, b.idempotent, b.timeout_ms, b.executor, b.approval_id,
      b.decision, b.asked, b.error, b.user_id, b.submitter_id, b.declared, b.receipt_id, hashtextextended(b.target, 0),
      to_timestamp(b.at / 1000), case when b.state = 'executing' then to_timestamp(b.at / 1000) end,
      case when b.state in ('denied', 'quarantined') then to_timestamp(b.at / 1000) end
    from batch b`,
});

/** Starts an attempt: refused when the action is not in the expected state and attempt any more. */
export const startAction = defineWrite<{
  tenant_id: string;
  id: string;
  from_state: ActionState;
  attempt: number;
  next_attempt: number;
  executor: string;
  decision: string;
  receipt_id: string;
  /** What the policy was asked, this time included; null: what is kept stays. */
  asked: Uint8Array | null;
}>({
  name: "actions.startAction",
  order: 40,
  guard: true,
  columns: {
    tenant_id: "uuid",
    id: "uuid",
    from_state: "text",
    attempt: "int4",
    next_attempt: "int4",
    executor: "uuid",
    decision: "jsonb",
    receipt_id: "uuid",
    asked: "bytea",
  },
  text: `/* actions.startAction */ update action a set state = 'executing', executor = b.executor, attempt = b.next_attempt,
      decision = b.decision, receipt_id = b.receipt_id, asked = case when a.asked is not null then coalesce(b.asked, a.asked) end, error = null, started_at = now(), ended_at = null
    from batch b where a.tenant_id = b.tenant_id and a.id = b.id and a.state = b.from_state and a.attempt = b.attempt returning 1`,
});

/** Takes over an execution whose process died: refused when another one took it. */
export const adoptAction = defineWrite<{ tenant_id: string; id: string; dead: string; executor: string }>({
  name: "actions.adoptAction",
  order: 40,
  guard: true,
  columns: { tenant_id: "uuid", id: "uuid", dead: "uuid", executor: "uuid" },
  text: `/* actions.adoptAction */ update action a set executor = b.executor, attempt = a.attempt + 1, started_at = now()
    from batch b where a.tenant_id = b.tenant_id and a.id = b.id and a.state = 'executing' and a.executor = b.dead returning 1`,
});

export interface EndRow {
  tenant_id: string;
  id: string;
  from_state: ActionState;
  executor: string | null;
  state: ActionState;
  output: Uint8Array | null;
  error: string | null;
  http: number | null;
  receipt_id: string;
  at: number;
}

/** Holds what was quarantined for an approval: refused when it is not quarantined any more. */
export const holdAction = defineWrite<{
  tenant_id: string;
  id: string;
  approval_id: string;
  decision: string;
  receipt_id: string;
  asked: Uint8Array | null;
}>({
  name: "actions.holdAction",
  order: 40,
  guard: true,
  columns: {
    tenant_id: "uuid",
    id: "uuid",
    approval_id: "uuid",
    decision: "jsonb",
    receipt_id: "uuid",
    asked: "bytea",
  },
  text: `/* actions.holdAction */ update action a set state = 'pending_approval', approval_id = b.approval_id,
      decision = b.decision, receipt_id = b.receipt_id, asked = case when a.asked is not null then coalesce(b.asked, a.asked) end, error = null, ended_at = null
    from batch b where a.tenant_id = b.tenant_id and a.id = b.id and a.state = 'quarantined' returning 1`,
});

/** Ends an action: refused when it is in another state or another process executes it now. */
export const endAction = defineWrite<EndRow>({
  name: "actions.endAction",
  order: 40,
  guard: true,
  columns: {
    tenant_id: "uuid",
    id: "uuid",
    from_state: "text",
    executor: "uuid",
    state: "text",
    output: "bytea",
    error: "jsonb",
    http: "int4",
    receipt_id: "uuid",
    at: "float8",
  },
  text: `/* actions.endAction */ update action a set state = b.state, output = b.output, error = b.error, http = b.http, receipt_id = b.receipt_id,
      ended_at = to_timestamp(b.at / 1000)
    from batch b where a.tenant_id = b.tenant_id and a.id = b.id and a.state = b.from_state
      and a.executor is not distinct from b.executor returning 1`,
});

export interface StoredAction {
  readonly tenantId: string;
  readonly id: string;
  readonly state: ActionState;
  readonly connection: string;
  readonly operation: string;
  readonly tool: string;
  readonly verb: string;
  readonly target: string;
  readonly environment: string;
  readonly digest: string;
  readonly facts: Record<string, string | number | boolean>;
  readonly input: Uint8Array;
  readonly output: Uint8Array | null;
  readonly error: ActionError | null;
  readonly http: number | null;
  readonly principalId: string;
  readonly runId: string | null;
  readonly step: string | null;
  readonly effectKey: string;
  readonly idempotent: boolean;
  readonly timeoutMs: number;
  readonly attempt: number;
  readonly executor: string | null;
  readonly approvalId: string | null;
  readonly decision: {
    readonly effect: string;
    readonly reasons: readonly string[];
    readonly message: string;
    /** Version of the policy. */
    readonly policy?: string | null;
    /** A person released it from quarantine. */
    readonly released?: boolean;
    /** What the candidate beside the policy in force said. */
    readonly shadow?: {
      readonly policyId: string;
      readonly version: number;
      readonly effect: string;
      readonly reasons: readonly string[];
      readonly differs: boolean;
      readonly errors?: readonly string[];
    };
  };
  readonly userId: string | null;
  readonly submitterId: string | null;
  readonly declared: Declared | null;
  readonly receiptId: string | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

const columns = sql`a.tenant_id as "tenantId", a.id, a.state, a.connection, a.operation, a.tool, a.verb, a.target, a.environment,
  a.digest, a.facts, a.input, a.output, a.error, a.http, a.principal_id as "principalId", a.run_id as "runId", a.step,
  a.effect_key as "effectKey", a.idempotent, a.timeout_ms as "timeoutMs", a.attempt, a.executor, a.approval_id as "approvalId",
  a.decision, a.user_id as "userId", a.submitter_id as "submitterId", a.declared, a.receipt_id as "receiptId",
  a.created_at as "createdAt", a.started_at as "startedAt", a.ended_at as "endedAt"`;

export async function findAction(db: Db, tenantId: string, id: string): Promise<StoredAction | undefined> {
  const rows = await db.query<StoredAction>(sql`/* actions.find */
    select ${columns} from action a where a.tenant_id = ${tenantId} and a.id = ${id}`);
  return rows[0];
}

/** The row stays as it is until the transaction ends. */
export async function lockAction(tx: Tx, tenantId: string, id: string): Promise<StoredAction | undefined> {
  const rows = await tx.query<StoredAction>(sql`/* actions.lock */
    select ${columns} from action a where a.tenant_id = ${tenantId} and a.id = ${id} for update of a`);
  return rows[0];
}

/** What an explanation needs of an action. */
export async function findAskedAction(
  db: Db,
  tenantId: string,
  id: string,
): Promise<{ readonly asked: Uint8Array | null; readonly decision: StoredAction["decision"] } | undefined> {
  const [row] = await db.query<{ asked: Uint8Array | null; decision: StoredAction["decision"] }>(
    sql`/* actions.findAsked */
    select a.asked, a.decision from action a where a.tenant_id = ${tenantId} and a.id = ${id}`,
  );
  return row;
}

export async function findReserved(
  db: Db,
  tenantId: string,
  reservation: Uint8Array,
): Promise<Reserved | undefined> {
  const [reserved] = await db.query<{
    id: string;
    fingerprint: Uint8Array | null;
  }>(sql`/* actions.findReserved */
    select action_id as id, fingerprint from action_reservation
    where tenant_id = ${tenantId} and reservation = ${reservation}`);
  const action = reserved && (await findAction(db, tenantId, reserved.id));
  return action && { action, fingerprint: reserved.fingerprint };
}

/** The action that a reservation key names, and the digest of the request that made it. */
export interface Reserved {
  readonly action: StoredAction;
  readonly fingerprint: Uint8Array | null;
}

/** Actions of a run are younger than it; the day before says which months need not be looked at. */
const ofRun = (runId: string): Sql => sql`and a.run_id = ${runId} and a.id >= ${dayBefore(runId)}`;

export interface LeftAction {
  readonly tenantId: string;
  readonly id: string;
  readonly executor: string;
}

/** Executions that a dead process left behind. */
export const findLeft = (tx: Tx, executor: string): Promise<LeftAction[]> =>
  tx.query(sql`/* actions.findLeft */
    select tenant_id as "tenantId", id, executor from action where executor = ${executor} and state = 'executing'`);

/** Executions a minute over their time limit that nobody was told of: whoever had them could not say what came of it. */
export const findOverdue = (tx: Tx, limit: number): Promise<LeftAction[]> =>
  tx.query(sql`/* actions.findOverdue */
    select a.tenant_id as "tenantId", a.id, a.executor from action a
    where a.state = 'executing' and a.started_at < now() - make_interval(secs => a.timeout_ms / 1000.0 + 60)
      and not exists (select from outbox o where o.tenant_id = a.tenant_id and o.topic = 'action.left'
        and o.payload ->> 'actionId' = a.id::text)
    limit ${limit}`);

/** Held actions of a run that has ended, or of a step that is skipped, will not run any more. */
export const cancelHeld = (tx: Tx, tenantId: string, runId: string, step?: string): Promise<StoredAction[]> =>
  tx.query(sql`/* actions.cancelHeld */
    update action a set state = 'cancelled', ended_at = now(),
      error = ${JSON.stringify(step === undefined ? runEnded : stepSkipped)}::jsonb
    where a.tenant_id = ${tenantId} ${ofRun(runId)} and a.state in ('pending_approval', 'approved')
      ${step === undefined ? nothing : sql`and a.step = ${step}`}
    returning ${columns}`);

const runEnded: ActionError = { code: "RUN_ENDED", message: "The run ended before the action was sent." };
const stepSkipped: ActionError = {
  code: "STEP_SKIPPED",
  message: "The step was skipped before the action was sent.",
};

/** What is being sent for a run that has ended is not sent again when its process dies: a person decides. */
export const forbidResend = (tx: Tx, tenantId: string, runId: string): Promise<unknown[]> =>
  tx.query(sql`/* actions.forbidResend */
    update action a set idempotent = false where a.tenant_id = ${tenantId} ${ofRun(runId)} and a.state = 'executing'`);
