--! room: orchestrate/engine
-- A wait without a key is found by its run alone. Left in this index, it makes the planner, while its figures are old,
-- look through all of a tenant's open waits for those of one run.
drop index wait__tenant_id__kind__key;
create index wait__tenant_id__kind__key on wait (tenant_id, kind, key) where status = 'open' and key is not null;
-- Lists of one flow, and of what failed or was aborted, newest first: rare among a tenant's runs, they must not be
-- looked for through all of them.
create index run__tenant_id__flow_name__id on run (tenant_id, flow_name, id);
create index run__tenant_id__ended_badly on run (tenant_id, status, id) where status in ('failed', 'aborted');
