--! room: orchestrate/flows
-- A flow is a name; its versions are immutable. `latest_version_id` is the highest semantic version.
create table flow (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  latest_version_id uuid,
  created_at timestamptz not null default now(),
  constraint flow__tenant_id__id primary key (tenant_id, id),
  constraint flow__tenant_id__name unique (tenant_id, name)
);
select oars_tenant_table('flow');

-- `hash` names the RFC 8785 text of `definition`; `source` is the YAML as its author wrote it.
create table flow_version (
  tenant_id uuid not null,
  id uuid not null,
  flow_id uuid not null,
  name text not null,
  version text not null,
  hash text not null,
  definition jsonb not null,
  source text,
  published_by uuid not null,
  published_at timestamptz not null default now(),
  constraint flow_version__tenant_id__id primary key (tenant_id, id),
  constraint flow_version__tenant_id__flow_id__version unique (tenant_id, flow_id, version),
  constraint flow_version__tenant_id__flow_id foreign key (tenant_id, flow_id) references flow (tenant_id, id),
  constraint flow_version__hash check (hash ~ '^sha256:[0-9a-f]{64}$')
);
create index flow_version__tenant_id__hash on flow_version (tenant_id, hash);
select oars_tenant_table('flow_version');

alter table flow add constraint flow__tenant_id__latest_version_id
  foreign key (tenant_id, latest_version_id) references flow_version (tenant_id, id);

create function flow_version_immutable() returns trigger
  language plpgsql as $$
begin
  raise exception using errcode = 'OA002', message = 'a published flow version is immutable';
end $$;

create trigger flow_version_row_immutable before update or delete on flow_version
  for each row execute function flow_version_immutable();
create trigger flow_version_table_immutable before truncate on flow_version
  for each statement execute function flow_version_immutable();
