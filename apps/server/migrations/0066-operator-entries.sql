--! room: orchestrate/engine
-- Entries of a run itself stand under the empty step: what people did to it, and a failure that it went on from.
alter table journal drop constraint journal__event;
alter table journal add constraint journal__event check (event in ('completed', 'failed', 'retrying', 'waiting', 'skipped',
  'gated', 'paused', 'resumed', 'reopened', 'aborted'));
create index run__tenant_id__origin_run_id on run (tenant_id, origin_run_id) where origin_run_id is not null;
