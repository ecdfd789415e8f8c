--! room: operate/delivery
-- Where security events and alerts go. `config` shows no secret; `sealed` holds the whole configuration of a target that a
-- tenant made. A target of the environment is the operator's: it takes what it may of every tenant, and its configuration
-- is in no table. `open_until`: until then nothing is sent, because too much failed before.
create table delivery_target (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  purpose text not null constraint delivery_target__purpose check (purpose in ('siem', 'alerts')),
  kind text not null,
  format text not null constraint delivery_target__format check (format in ('native', 'ocsf', 'cef', 'cloudevents')),
  config jsonb not null,
  sealed bytea,
  from_env boolean not null default false,
  min_severity text not null default 'info',
  types text[],
  state text not null default 'active' constraint delivery_target__state check (state in ('active', 'paused', 'retired')),
  failures int not null default 0,
  open_until timestamptz,
  delivered int8 not null default 0,
  failed int8 not null default 0,
  given_up int8 not null default 0,
  last_success_at timestamptz,
  last_failure_at timestamptz,
  last_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint delivery_target__tenant_id__id primary key (tenant_id, id),
  constraint delivery_target__tenant_id__name unique (tenant_id, name)
) with (fillfactor = 70);
select oars_tenant_table('delivery_target');

-- What is still to be sent, one row for each target. A row goes when the target has it or when it is given up.
create table delivery (
  tenant_id uuid not null,
  id uuid not null,
  target_id uuid not null,
  subject_kind text not null constraint delivery__subject_kind check (subject_kind in ('event', 'alert')),
  subject_id uuid not null,
  payload jsonb not null,
  attempts int not null default 0,
  available_at timestamptz not null default now(),
  claimed_by uuid,
  last_error text,
  created_at timestamptz not null default now(),
  constraint delivery__tenant_id__id primary key (tenant_id, id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
create index delivery__tenant_id__target_id__available_at on delivery (tenant_id, target_id, available_at);
create index delivery__tenant_id__claimed_by on delivery (tenant_id, claimed_by) where claimed_by is not null;
select oars_tenant_table('delivery');

create table dead_letter (
  tenant_id uuid not null,
  id uuid not null,
  target_id uuid not null,
  subject_kind text not null,
  subject_id uuid not null,
  payload jsonb not null,
  attempts int not null,
  last_error text not null,
  state text not null constraint dead_letter__state check (state in ('open', 'replayed', 'resolved')),
  replay_count int not null default 0,
  reason text,
  failed_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint dead_letter__tenant_id__id primary key (tenant_id, id)
);
create index dead_letter__open on dead_letter (tenant_id, id) where state = 'open';
select oars_tenant_table('dead_letter');
