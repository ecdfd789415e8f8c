--! room: act/policy
-- Grants: a template of the bundle in force with its holes filled. Made and revoked one by one; `revision` of the
-- head rises with each, so that every process follows.
create table policy_grant (
  tenant_id uuid not null,
  id uuid not null,
  template text not null,
  principal_type text,
  principal_id text,
  resource_type text,
  resource_id text,
  note text,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_by uuid,
  revoked_at timestamptz,
  constraint policy_grant__tenant_id__id primary key (tenant_id, id),
  constraint policy_grant__principal__check check ((principal_type is null) = (principal_id is null)),
  constraint policy_grant__resource__check check ((resource_type is null) = (resource_id is null)),
  constraint policy_grant__revoked_at__check check ((revoked_by is null) = (revoked_at is null))
);
create index policy_grant__live on policy_grant (tenant_id, id) where revoked_at is null;
select oars_tenant_table('policy_grant');

-- A candidate that is asked beside the one in force, as {policyId, share, since, facts, schema, engine, compiled}; and
-- whether a publication needs a replay: null as the server is configured.
alter table policy_head
  add column shadow jsonb,
  add column replay_required boolean;
