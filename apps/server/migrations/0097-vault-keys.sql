--! room: platform/vault
-- A data key seals from `active_at` on: by then every process has read it. It can be read as soon as it is there.
alter table data_key add column active_at timestamptz not null default now();

-- Rotations of the whole installation. One that was not completed goes on when it is asked for again.
create table vault_rotation (
  id uuid not null constraint vault_rotation__id primary key,
  kind text not null constraint vault_rotation__kind__check check (kind in ('rewrap', 'data_keys')),
  started_at timestamptz not null default now(),
  completed_at timestamptz,
  rewrapped int8 not null default 0,
  resealed int8 not null default 0
);
create unique index vault_rotation__kind on vault_rotation (kind) where completed_at is null;
grant select, insert, update on vault_rotation to oars_system;

-- Who used a secret for what, counted by the hour.
create table secret_access (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  reader uuid,
  purpose text not null,
  at_hour timestamptz not null,
  reads int8 not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  last_action_id uuid,
  constraint secret_access__tenant_id__id primary key (tenant_id, id),
  constraint secret_access__tenant_id__name__at_hour__reader__purpose
    unique nulls not distinct (tenant_id, name, at_hour, reader, purpose)
);
create index secret_access__tenant_id__name__id on secret_access (tenant_id, name, id);
select oars_tenant_table('secret_access');
