--! room: sign/log
-- The log of logs. Its tree is kept with those of the tenants, under the installation's own id; here is what it is made
-- of. log_head says which tenants have a head that it does not hold yet, and when it last held one.
create table log_head (
  tenant_id uuid not null,
  size bigint not null constraint log_head__size__check check (size > 0),
  dirty boolean not null,
  entered_at timestamptz,
  constraint log_head__tenant_id primary key (tenant_id)
) with (fillfactor = 50);
create index log_head__tenant_id__dirty on log_head (tenant_id) where dirty;
select oars_tenant_table('log_head');
revoke delete on log_head from oars_app, oars_system;

create table log_head_entry (
  tenant_id uuid not null,
  leaf_index bigint not null constraint log_head_entry__leaf_index__check check (leaf_index >= 0),
  size bigint not null,
  entry text not null,
  created_at timestamptz not null default now(),
  constraint log_head_entry__tenant_id__leaf_index primary key (tenant_id, leaf_index)
);
create index log_head_entry__tenant_id__size on log_head_entry (tenant_id, size, leaf_index);
select oars_tenant_table('log_head_entry');
revoke update, delete on log_head_entry from oars_app, oars_system;

-- Lines that witnesses gave for a head of the log of logs.
create table log_cosignature (
  tenant_id uuid not null,
  size bigint not null,
  witness text not null,
  line text not null,
  created_at timestamptz not null default now(),
  constraint log_cosignature__tenant_id__size__witness primary key (tenant_id, size, witness)
);
select oars_tenant_table('log_cosignature');
revoke delete on log_cosignature from oars_app, oars_system;

insert into log_head (tenant_id, size, dirty)
select c.tenant_id, max(c.size), true from log_checkpoint c group by c.tenant_id;
