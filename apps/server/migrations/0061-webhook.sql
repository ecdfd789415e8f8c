--! room: orchestrate/triggers
-- Which flow version a webhook slug starts, and on whose authority.
create table webhook (
  tenant_id uuid not null,
  slug text not null,
  flow_name text not null,
  flow_version text not null,
  flow_hash text not null,
  secret text not null,
  principal_id uuid not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint webhook__tenant_id__slug primary key (tenant_id, slug)
);
create index webhook__slug on webhook (slug, created_at);
select oars_tenant_table('webhook');
