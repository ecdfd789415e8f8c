--! room: orchestrate/engine
-- A run and its journal: all that is needed to go on elsewhere. Entries are keyed by step, iteration and
-- attempt, never by position.
create table run (
  tenant_id uuid not null,
  id uuid not null,
  flow_name text not null,
  flow_version text not null,
  flow_hash text not null,
  status text not null constraint run__status check (status in ('queued', 'running', 'waiting', 'completed', 'failed', 'aborted')),
  principal_id uuid not null,
  params jsonb not null,
  trigger jsonb,
  labels jsonb,
  priority int not null default 0,
  start_key bytea,
  start_digest bytea,
  lease_worker uuid,
  lease_epoch int not null default 0,
  wake_seq int not null default 0,
  last_seq int not null default 0,
  output jsonb,
  error jsonb,
  created_at timestamptz not null default now(),
  available_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz,
  deadline_at timestamptz,
  constraint run__lease_worker check ((status = 'running') = (lease_worker is not null)),
  constraint run__tenant_id__id primary key (tenant_id, id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
create unique index run__tenant_id__start_key on run (tenant_id, start_key) where start_key is not null;
create index run__queued on run (tenant_id, priority desc, available_at) where status = 'queued';
create index run__leased on run (lease_worker) where status = 'running';
create index run__deadline on run (deadline_at) where status = 'waiting';
select oars_tenant_table('run');

create table journal (
  tenant_id uuid not null,
  run_id uuid not null,
  step text not null,
  iteration int not null,
  attempt int not null,
  event text not null constraint journal__event check (event in ('completed', 'failed', 'retrying', 'waiting', 'skipped')),
  seq int not null,
  output jsonb,
  error jsonb,
  at timestamptz not null,
  ms int not null,
  constraint journal__tenant_id__run_id__step primary key (tenant_id, run_id, step, iteration, attempt, event)
);
select oars_tenant_table('journal');

-- What a run waits for. Costs nothing while it waits: no process holds it, no poll looks at each.
create table wait (
  tenant_id uuid not null,
  id uuid not null,
  run_id uuid not null,
  step text not null,
  iteration int not null,
  attempt int not null,
  kind text not null constraint wait__kind check (kind in ('action', 'timer', 'retry')),
  key text,
  due_at timestamptz,
  status text not null default 'open' constraint wait__status check (status in ('open', 'resolved', 'cancelled')),
  created_at timestamptz not null default now(),
  resolved_at timestamptz,
  constraint wait__tenant_id__id primary key (tenant_id, id)
);
create index wait__tenant_id__run_id on wait (tenant_id, run_id);
create index wait__tenant_id__kind__key on wait (tenant_id, kind, key) where status = 'open';
create index wait__due_at on wait (due_at) where status = 'open' and due_at is not null;
select oars_tenant_table('wait');
