--! room: act/workflows
-- Who must approve, in which order. A version never changes; an approval keeps a copy of what it was made with.
create table approval_workflow (
  tenant_id uuid not null,
  id uuid not null,
  name text not null constraint approval_workflow__name__check check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
  version int4 not null constraint approval_workflow__version__check check (version > 0),
  retired_at timestamptz,
  created_at timestamptz not null default now(),
  constraint approval_workflow__tenant_id__id primary key (tenant_id, id),
  constraint approval_workflow__tenant_id__name unique (tenant_id, name)
);
select oars_tenant_table('approval_workflow');

create table approval_workflow_version (
  tenant_id uuid not null,
  workflow_id uuid not null,
  version int4 not null,
  description text not null,
  stages jsonb not null,
  digest text not null,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  constraint approval_workflow_version__tenant_id__workflow_id__version primary key (tenant_id, workflow_id, version)
);
select oars_tenant_table('approval_workflow_version');

create table approval_settings (
  tenant_id uuid not null constraint approval_settings__tenant_id primary key,
  version int4 not null,
  default_workflow text,
  fatigue jsonb,
  updated_by uuid not null,
  updated_at timestamptz not null default now()
);
select oars_tenant_table('approval_settings');
