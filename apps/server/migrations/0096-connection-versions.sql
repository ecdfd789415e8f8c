--! room: act/connectors
-- Every revision that a connection had, as it was put, and who put it.
create table connection_version (
  tenant_id uuid not null,
  connection_id uuid not null,
  revision int not null constraint connection_version__revision__check check (revision > 0),
  name text not null,
  change text not null constraint connection_version__change__check check (change in ('put', 'deleted')),
  definition jsonb not null,
  changed_by uuid not null,
  changed_at timestamptz not null default now(),
  constraint connection_version__tenant_id__connection_id__revision
    primary key (tenant_id, connection_id, revision)
);
create index connection_version__tenant_id__name__changed_at
  on connection_version (tenant_id, name, changed_at, revision);
select oars_tenant_table('connection_version');
