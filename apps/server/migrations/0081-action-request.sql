--! room: act/actions
-- For whom an action was proposed and by whom, where neither is plain from its principal; what the proposal itself
-- stated; the last receipt that it left. A reservation knows the request that made it.
alter table action
  add column user_id uuid,
  add column submitter_id uuid,
  add column declared jsonb,
  add column receipt_id uuid;
alter table action_reservation add column fingerprint bytea;
-- Lists of one principal, of one tool and of one target, newest first; and of what did not end as it should, which is
-- rare. None of their columns changes while an action lives, but for the state of the rare ones.
create index action__tenant_id__principal_id__id on action (tenant_id, principal_id, id);
create index action__tenant_id__tool__id on action (tenant_id, tool, id);
create index action__tenant_id__target__id on action (tenant_id, (hashtextextended(target, 0)), id);
create index action__tenant_id__user_id__id on action (tenant_id, user_id, id) where user_id is not null;
create index action__tenant_id__state__id on action (tenant_id, state, id) where state not in ('completed', 'executing');
