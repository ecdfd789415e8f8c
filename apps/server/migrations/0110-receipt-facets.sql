--! room: sign/receipts
-- What receipts are looked for by. Each is also in the signed body; the columns make a search read no body.
-- `rules` and `controls` are JSON lists of texts.
alter table receipt
  add column user_id uuid,
  add column operation text,
  add column target text,
  add column policy text,
  add column policy_version text,
  add column rules jsonb,
  add column controls jsonb;
create index receipt__tenant_id__principal_id__id on receipt (tenant_id, principal_id, id) where principal_id is not null;
create index receipt__tenant_id__tool__id on receipt (tenant_id, tool, id) where tool is not null;
-- The many are found by walking the primary key; the few have indexes that the many do not enter.
create index receipt__tenant_id__effect__id on receipt (tenant_id, effect, id) where effect <> 'allow';
create index receipt__tenant_id__type__id on receipt (tenant_id, type, id)
  where type not in ('action.decision', 'execution.started', 'execution.finished', 'run.started', 'run.finished');
