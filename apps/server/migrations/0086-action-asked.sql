--! room: act/actions
-- What the policy was asked about the action, sealed: replays ask it again. And the actions that a candidate beside
-- the policy in force would have decided otherwise.
alter table action add column asked bytea;
create index action__shadow on action (tenant_id, id) where decision -> 'shadow' ->> 'differs' = 'true';
