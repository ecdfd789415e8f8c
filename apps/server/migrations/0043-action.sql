--! room: act/actions
-- A proposed effect on the outside world, from proposal to outcome. Input and output are sealed.
create table action (
  tenant_id uuid not null,
  id uuid not null,
  state text not null constraint action__state check (state in ('proposed', 'denied', 'quarantined', 'pending_approval', 'approved',
    'executing', 'completed', 'failed', 'in_doubt', 'rejected', 'expired', 'cancelled')),
  connection text not null,
  operation text not null,
  tool text not null,
  verb text not null,
  target text not null,
  environment text not null,
  digest text not null,
  facts jsonb not null,
  input bytea not null,
  output bytea,
  error jsonb,
  http int,
  principal_id uuid not null,
  run_id uuid,
  step text,
  reservation bytea,
  effect_key text not null,
  idempotent boolean not null,
  timeout_ms int not null,
  attempt int not null default 1,
  executor uuid,
  approval_id uuid,
  decision jsonb not null,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz,
  constraint action__tenant_id__id primary key (tenant_id, id)
) with (fillfactor = 70);
create unique index action__tenant_id__reservation on action (tenant_id, reservation) where reservation is not null;
create index action__tenant_id__run_id on action (tenant_id, run_id) where run_id is not null;
create index action__executor on action (executor) where state = 'executing';
select oars_tenant_table('action');
