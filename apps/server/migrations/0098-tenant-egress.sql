--! room: act/connectors
-- The hosts that a tenant lets its connections reach, within those that the operator allows. No row: all of them.
create table tenant_egress (
  tenant_id uuid not null,
  hosts text[] not null,
  revision int not null default 1,
  updated_by uuid not null,
  updated_at timestamptz not null default now(),
  constraint tenant_egress__tenant_id primary key (tenant_id)
);
select oars_tenant_table('tenant_egress');
