--! room: platform/vault
-- The key of each data subject of a tenant, sealed under the tenant's data key. What is sealed for a person cannot be
-- read by anybody any more once the row is gone: it is the only copy. Keep it out of backups that are kept for long.
create table subject_key (
  tenant_id uuid not null,
  id uuid not null,
  subject text not null constraint subject_key__subject__check check (length(subject) between 1 and 200),
  sealed bytea not null,
  created_at timestamptz not null default now(),
  constraint subject_key__tenant_id__id primary key (tenant_id, id),
  constraint subject_key__tenant_id__subject unique (tenant_id, subject)
);
select oars_tenant_table('subject_key');
revoke update on subject_key from oars_app, oars_system;
grant update (sealed) on subject_key to oars_app, oars_system; -- when the tenant has a new data key
