--! room: platform/vault
-- A tenant's data keys, each wrapped by a key-encryption key that only the process knows.
create table data_key (
  tenant_id uuid not null,
  number int not null constraint data_key__number__check check (number > 0),
  kek_id text not null,
  wrapped bytea not null,
  created_at timestamptz not null default now(),
  constraint data_key__tenant_id__number primary key (tenant_id, number)
);
select oars_tenant_table('data_key');

create table secret (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  sealed bytea not null,
  version int not null default 1,
  created_at timestamptz not null default now(),
  created_by uuid,
  updated_at timestamptz not null default now(),
  updated_by uuid,
  constraint secret__tenant_id__id primary key (tenant_id, id),
  constraint secret__tenant_id__name unique (tenant_id, name),
  constraint secret__name__check check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$')
);
select oars_tenant_table('secret');
