--! room: act/catalogue
-- What people said of a tool: the definition that they reviewed, how dangerous it is, what of its output is kept and
-- who sees it. What a tool is comes from its connection; a tool without a row is as it was first seen.
create table tool (
  tenant_id uuid not null,
  name text not null constraint tool__name__check check (char_length(name) between 3 and 201),
  source text not null constraint tool__source__check check (source in ('connector')),
  reviewed text not null,
  reviewed_by uuid,
  reviewed_at timestamptz not null default now(),
  verb text constraint tool__verb__check check (verb in ('read', 'write', 'delete', 'execute', 'send', 'pay')),
  risk int constraint tool__risk__check check (risk between 0 and 100),
  data_types text[],
  destructive boolean,
  open_world boolean,
  redact text[] not null default '{}',
  outputs text not null default 'requester' constraint tool__outputs__check check (outputs in ('requester', 'readers')),
  reason text,
  revision int not null default 1,
  updated_by uuid,
  updated_at timestamptz not null default now(),
  constraint tool__tenant_id__name primary key (tenant_id, name)
);
select oars_tenant_table('tool');

-- The tools that a tenant may use, within those that the operator of the installation allows it. No row: all of them.
create table tool_allowance (
  tenant_id uuid not null,
  patterns text[] not null,
  revision int not null default 1,
  updated_by uuid not null,
  updated_at timestamptz not null default now(),
  constraint tool_allowance__tenant_id primary key (tenant_id)
);
select oars_tenant_table('tool_allowance');
