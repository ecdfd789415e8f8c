--! room: platform/access
-- One row per request that carried an Idempotency-Key: reserved before it runs, answered after.
-- `answer` is sealed: bodies may hold what a connector returned.
create table idempotency (
  tenant_id uuid not null,
  principal_id uuid not null,
  route text not null,
  key text not null constraint idempotency__key__check check (char_length(key) between 1 and 256),
  fingerprint text not null,
  reservation uuid not null,
  reserved_at timestamptz not null default now(),
  status int,
  answer bytea,
  completed_at timestamptz,
  constraint idempotency__tenant_id__principal_id__route__key primary key (tenant_id, principal_id, route, key),
  constraint idempotency__answer__check check ((status is null) = (answer is null) and (status is null) = (completed_at is null))
) with (fillfactor = 80);
create index idempotency__tenant_id__reserved_at on idempotency (tenant_id, reserved_at);
select oars_tenant_table('idempotency');
