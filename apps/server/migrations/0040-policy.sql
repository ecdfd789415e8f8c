--! room: act/policy
-- Versions of a tenant's policy bundle. What was written never changes; only the state around it does.
create table policy (
  tenant_id uuid not null,
  id uuid not null,
  version int not null constraint policy__version__check check (version > 0),
  state text not null default 'draft',
  source jsonb not null,
  digest text not null,
  schema_digest text not null,
  engine text not null,
  policies int not null,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  published_by uuid,
  published_at timestamptz,
  retired_at timestamptz,
  constraint policy__tenant_id__id primary key (tenant_id, id),
  constraint policy__tenant_id__version unique (tenant_id, version),
  constraint policy__state__check check (state in ('draft', 'published', 'retired')),
  constraint policy__published_at__check check (state = 'draft' or (published_by is not null and published_at is not null)),
  constraint policy__retired_at__check check ((state = 'retired') = (retired_at is not null))
);
create unique index policy__tenant_id__published on policy (tenant_id) where state = 'published';
select oars_tenant_table('policy');

create function policy_keep_content() returns trigger
  language plpgsql as $$
begin
  if (new.tenant_id, new.id, new.version, new.source, new.digest, new.schema_digest, new.engine, new.policies, new.created_by, new.created_at)
    is distinct from
     (old.tenant_id, old.id, old.version, old.source, old.digest, old.schema_digest, old.engine, old.policies, old.created_by, old.created_at)
  then
    raise exception using errcode = '23514', message = 'a policy version cannot change';
  end if;
  return new;
end $$;

create trigger policy__keep_content before update on policy
  for each row execute function policy_keep_content();

-- One row per tenant: the counter of versions, and the publication that decisions follow. `revision` counts
-- publications; it is all that other processes read to learn of a new one.
create table policy_head (
  tenant_id uuid not null constraint policy_head__tenant_id primary key,
  last_version int not null default 0,
  revision int not null default 0,
  policy_id uuid,
  facts jsonb,
  schema_digest text,
  engine text,
  compiled jsonb,
  constraint policy_head__policy_id foreign key (tenant_id, policy_id) references policy (tenant_id, id),
  constraint policy_head__compiled__check check (
    policy_id is null or (facts is not null and schema_digest is not null and engine is not null and compiled is not null))
);
select oars_tenant_table('policy_head');
