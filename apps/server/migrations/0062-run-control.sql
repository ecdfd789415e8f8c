--! room: orchestrate/engine
-- Sub-runs, reruns, pauses, concurrency keys, gates, signals, cached outputs and the shares of tenants.
alter table run add column parent_run_id uuid;
alter table run add column parent_step text;
alter table run add column parent_iteration int;
alter table run add column depth int not null default 0;
-- The run that this one repeats.
alter table run add column origin_run_id uuid;
-- Runs under one key exclude each other as `concurrency_limit` says; a `blocked` one waits for its turn.
alter table run add column concurrency_key text;
alter table run add column concurrency_limit int;
alter table run add column blocked boolean not null default false;
-- Set while an operator holds the run back: it is 'waiting' then, and nothing wakes it but its resumption.
alter table run add column paused_at timestamptz;
alter table run add constraint run__blocked check (not blocked or status in ('queued', 'waiting', 'aborted'));
alter table run add constraint run__paused_at check (paused_at is null or status in ('waiting', 'aborted'));
create index run__tenant_id__parent_run_id on run (tenant_id, parent_run_id) where parent_run_id is not null;
create index run__tenant_id__concurrency_key on run (tenant_id, concurrency_key)
  where concurrency_key is not null and status in ('queued', 'running', 'waiting');
drop index run__queued;
create index run__queued on run (tenant_id, priority desc, available_at) where status = 'queued' and not blocked;
drop index run__deadline;
create index run__deadline on run (deadline_at) where status = 'waiting' and paused_at is null;

-- 'gated': the step is done and a person is asked. `operator` says who wrote an entry in place of the engine.
alter table journal drop constraint journal__event;
alter table journal add constraint journal__event
  check (event in ('completed', 'failed', 'retrying', 'waiting', 'skipped', 'gated'));
alter table journal add column operator jsonb;

alter table wait drop constraint wait__kind;
alter table wait add constraint wait__kind check (kind in ('action', 'timer', 'retry', 'child', 'signal', 'gate'));

-- What was sent to a run under a name. Each is delivered to one waiting step at most, the oldest first.
create table signal (
  tenant_id uuid not null,
  id uuid not null,
  run_id uuid not null,
  name text not null,
  payload jsonb,
  sent_by uuid not null,
  sent_at timestamptz not null default now(),
  delivered_at timestamptz,
  step text,
  iteration int,
  constraint signal__tenant_id__run_id__id primary key (tenant_id, run_id, id)
);
create index signal__tenant_id__run_id__name on signal (tenant_id, run_id, name, id) where delivered_at is null;
select oars_tenant_table('signal');

-- A question to people inside a flow, with the output that it is about.
create table gate (
  tenant_id uuid not null,
  id uuid not null,
  run_id uuid not null,
  step text not null,
  iteration int not null,
  attempt int not null,
  status text not null default 'open' constraint gate__status check (status in ('open', 'answered', 'expired', 'cancelled')),
  question text not null,
  options text[] not null,
  approvers text[] not null,
  exclude_requester boolean not null,
  requester_id uuid not null,
  default_decision text,
  output jsonb,
  decision text,
  edits jsonb,
  edited_output jsonb,
  has_edited_output boolean not null default false,
  answered_by uuid,
  note text,
  created_at timestamptz not null default now(),
  due_at timestamptz,
  answered_at timestamptz,
  constraint gate__decision check ((status in ('answered', 'expired')) = (decision is not null)),
  constraint gate__tenant_id__id primary key (tenant_id, id)
);
create index gate__tenant_id__status on gate (tenant_id, id) where status = 'open';
create index gate__tenant_id__run_id on gate (tenant_id, run_id);
select oars_tenant_table('gate');

-- Outputs of steps that may be used again for the same resolved input.
create table step_cache (
  tenant_id uuid not null,
  key bytea not null,
  output jsonb,
  run_id uuid not null,
  step text not null,
  stored_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint step_cache__tenant_id__key primary key (tenant_id, key)
);
create index step_cache__expires_at on step_cache (expires_at);
select oars_tenant_table('step_cache');

-- One row for each key in use: whoever starts or ends a run under the key holds it meanwhile.
create table run_key (
  tenant_id uuid not null,
  key text not null,
  touched_at timestamptz not null default now(),
  constraint run_key__tenant_id__key primary key (tenant_id, key)
);
select oars_tenant_table('run_key');

-- How tenants share the workers: virtual time grows by runs claimed over weight, and the least goes first.
create table run_share (
  tenant_id uuid not null constraint run_share__tenant_id primary key,
  weight float8 not null default 1 constraint run_share__weight check (weight > 0),
  max_running int constraint run_share__max_running check (max_running > 0),
  vtime float8 not null default 0
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
select oars_tenant_table('run_share');
