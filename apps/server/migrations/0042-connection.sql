--! room: act/connectors
-- How each outside system is reached and how sensitive it is. Config names secrets and never holds them;
-- facts are what policy may read about the system itself.
create table connection (
  tenant_id uuid not null,
  id uuid not null,
  name text not null constraint connection__name__check check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
  connector text not null,
  config jsonb not null,
  environment text not null
    constraint connection__environment__check check (char_length(environment) between 1 and 60),
  risk int not null constraint connection__risk__check check (risk between 0 and 100),
  data_types text[] not null,
  facts jsonb not null,
  revision int not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint connection__tenant_id__id primary key (tenant_id, id),
  constraint connection__tenant_id__name unique (tenant_id, name)
);
select oars_tenant_table('connection');
