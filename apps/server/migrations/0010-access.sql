--! room: platform/access
-- Who there is and how they prove it. Keys are kept as the SHA-256 of their 256-bit random secret.
create table tenant (
  id uuid not null constraint tenant__id primary key,
  name text not null constraint tenant__name__check check (char_length(name) between 1 and 100),
  created_at timestamptz not null default now()
);
-- The table of tenants has no tenant_id: a tenant sees its own row and writes none.
alter table tenant enable row level security;
alter table tenant force row level security;
create policy tenant on tenant for select to oars_app using (id = (select oars_tenant()));
create policy system on tenant to oars_system using (true) with check (true);
grant select on tenant to oars_app;
grant select, insert, update on tenant to oars_system;

-- One row once the first tenant exists; its key makes "exactly once" hold between processes.
create table installation (
  id int not null constraint installation__id primary key,
  tenant_id uuid not null constraint installation__tenant_id__tenant
    references tenant (id) deferrable initially deferred, -- claimed before the tenant is made
  created_at timestamptz not null default now(),
  constraint installation__id__check check (id = 1)
);
grant select, insert on installation to oars_system;

create table principal (
  tenant_id uuid not null constraint principal__tenant_id__tenant references tenant (id),
  id uuid not null,
  kind text not null,
  name text not null,
  owner_id uuid,
  status text not null default 'active',
  created_at timestamptz not null default now(),
  constraint principal__tenant_id__id primary key (tenant_id, id),
  constraint principal__tenant_id__name unique (tenant_id, name),
  constraint principal__kind__check check (kind in ('user', 'agent', 'service')),
  constraint principal__status__check check (status in ('active', 'disabled')),
  constraint principal__name__check check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
  constraint principal__owner_id__check check (owner_id <> id),
  constraint principal__tenant_id__owner_id foreign key (tenant_id, owner_id) references principal (tenant_id, id)
);
select oars_tenant_table('principal');

create table principal_role (
  tenant_id uuid not null,
  principal_id uuid not null,
  role text not null,
  constraint principal_role__tenant_id__principal_id__role primary key (tenant_id, principal_id, role),
  constraint principal_role__tenant_id__principal_id foreign key (tenant_id, principal_id)
    references principal (tenant_id, id)
);
select oars_tenant_table('principal_role');

create table api_key (
  tenant_id uuid not null,
  id uuid not null,
  principal_id uuid not null,
  prefix text not null constraint api_key__prefix unique, -- read before the tenant is known
  hash bytea not null constraint api_key__hash__check check (octet_length(hash) = 32),
  name text constraint api_key__name__check check (char_length(name) between 1 and 100),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  constraint api_key__tenant_id__id primary key (tenant_id, id),
  constraint api_key__tenant_id__principal_id foreign key (tenant_id, principal_id)
    references principal (tenant_id, id)
);
create index api_key__tenant_id__principal_id__id on api_key (tenant_id, principal_id, id);
select oars_tenant_table('api_key');
